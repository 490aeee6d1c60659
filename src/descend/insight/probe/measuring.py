"""Questions about equations, and the program that answers all of them at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from descend.insight.probe.findings import Activation, Finding
from descend.insight.probe.graph import Op, Path
from descend.insight.probe.interpreting import Arrays, Hooks, interpreted, ran_once
from descend.insight.probe.tracing import Traced

How = Literal["least", "greatest", "total"]
Numbers = Mapping[str, np.ndarray]
OVER: dict[How, Callable[..., Any]] = {"least": jnp.min, "greatest": jnp.max, "total": jnp.sum}


class Measure(NamedTuple):
    """A small array of an equation's operands and results, and what is made of it over the iterations of a loop."""

    how: How
    of: Callable[[Arrays, Arrays], Any]


@dataclass(frozen=True)
class Question:
    """What is measured at an equation, and what the numbers say: a finding, or a fact of its units, or nothing."""

    op: Op
    measures: Mapping[str, Measure]
    answer: Callable[[Numbers], Finding | Activation | None]


@dataclass
class Reading(Hooks):
    """Measures what is asked, and the derivative by some results, as gradients of `tokens`."""

    questions: Mapping[Path, Sequence[tuple[int, Question]]]
    tokens: Mapping[Path, Any]
    records: dict[How, dict[tuple[int, str], Any]] = field(
        default_factory=lambda: {"least": {}, "greatest": {}, "total": {}}
    )

    def leaves_out(self, equation: JaxprEqn) -> bool:
        # What it shows is shown by the run's own steps.
        return equation.primitive.name == "debug_callback"

    def results(self, path: Path, equation: JaxprEqn, operands: Arrays, results: Arrays) -> Arrays:
        for number, question in self.questions.get(path, ()):
            # What is measured must not change the gradient, nor need one.
            still = jax.lax.stop_gradient((operands, results))
            for name, (how, of) in question.measures.items():
                self.records[how][number, name] = of(*still)
        token = self.tokens.get(path)
        return results if token is None else [felt(results[0], token), *results[1:]]

    def inside(self, path: Path) -> "Reading | None":
        return self if any(other[: len(path)] == path for other in self.questions) else None

    def at_loop(self, path: Path) -> tuple["Reading", Any]:
        return Reading(self.questions, self.tokens), None

    def told(self) -> Any:
        return self.records

    def after_loop(self, path: Path, told: Any) -> None:
        for how, records in told.items():
            for key, stacked in records.items():
                self.records[how][key] = OVER[how](stacked, axis=0)


# A derivative by an array within a loop cannot be had from outside. But a number that is handed in with it can have
# whatever gradient it likes: a sum over the derivatives, which a loop adds up over its iterations by itself.
@jax.custom_vjp
def felt(x: Any, token: Any) -> Any:  # noqa: ARG001
    """`x`; the gradient of the token is the sum of squares of the derivative by x."""
    return x


def _forward(x: Any, _: Any) -> tuple[Any, None]:
    return x, None


def _backward(_: None, slope: Any) -> tuple[Any, Any]:
    return slope, jnp.sum(jnp.square(slope.astype(jnp.float32)))


felt.defvjp(_forward, _backward)


class Answers(NamedTuple):
    """The loss, its gradient by parameter, what was measured, by question, and the derivatives' sums of squares."""

    value: Any
    gradients: list[Any]
    records: dict[How, dict[tuple[int, str], Any]]
    slopes: dict[Path, Any]


def answered(traced: Traced, questions: Sequence[Question], felt_at: Sequence[Path]) -> Answers:
    """What the program gives to the questions, with everything on the host."""
    by_path: dict[Path, list[tuple[int, Question]]] = {}
    for number, question in enumerate(questions):
        by_path.setdefault(question.op.path, []).append((number, question))
    tokens = {path: jnp.zeros((), jnp.float32) for path in felt_at}
    return ran_once(partial(_answers, traced, by_path), traced.arrays, tokens)


def _answers(traced: Traced, questions: Any, arrays: Arrays, tokens: Any) -> Answers:
    trained = [i for i, (kind, _) in enumerate(traced.names) if kind == "params"]

    def value(params: Arrays, tokens: Any) -> tuple[Any, Any]:
        given = list(arrays)
        for i, array in zip(trained, params, strict=True):
            given[i] = array
        hooks = Reading(questions, tokens)
        return interpreted(traced.program, given, hooks)[0], hooks.records

    (result, records), (gradients, slopes) = jax.value_and_grad(value, argnums=(0, 1), has_aux=True)(
        [arrays[i] for i in trained], tokens
    )
    return Answers(result, gradients, records, slopes)


def numbers_of(answers: Answers, number: int) -> Numbers:
    """What was measured for a question."""
    return {name: array for records in answers.records.values() for (n, name), array in records.items() if n == number}
