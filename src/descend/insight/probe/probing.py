"""One look into a run's loss on a batch."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from descend._arrays import precision
from descend.engine import evaluating
from descend.engine.run import Run
from descend.errors import DescendError
from descend.insight.probe import fitting, gradients, nonfinite, softmaxes, units, unsafe
from descend.insight.probe.findings import Activation, ActivationScale, Finding
from descend.insight.probe.flow import before
from descend.insight.probe.measuring import Answers, answered, numbers_of
from descend.insight.probe.program import Program
from descend.insight.probe.sites import Site
from descend.insight.probe.tracing import Traced

HOST = ("pure_callback", "io_callback", "custom_partitioning")
DRAWS = ("random_bits", "threefry2x32", "rng_bit_generator")
GIVEN = ("params", "batch", "state", "key")
CLOSED = ("while", "cond", *HOST)


@dataclass(frozen=True)
class Probe:
    """What is found in a run's loss on a batch.

    `loss`: its value. `findings`: what is wrong, or may be. `scales`: the sizes of layers, in their order.
    `activations`: which units are out of use. `unseen`: what was not looked into. `refusal`: why nothing could be
    looked at, if it is so. `seconds`: what it took.
    """

    loss: float = float("nan")
    findings: tuple[Finding, ...] = ()
    scales: tuple[ActivationScale, ...] = ()
    activations: tuple[Activation, ...] = ()
    unseen: tuple[str, ...] = ()
    refusal: str | None = None
    seconds: float = field(default=0.0, compare=False)


def probe(run: Run, data: Any = None) -> Probe:
    """A look into a run's loss at its parameters: on the batch and with the random numbers of its next step, or on
    `data`, without anything random. Nothing is changed, neither the run nor the loss."""
    began = time.perf_counter()
    if getattr(run.descent.loss, "value_and_grad", None) is not None:
        return Probe(refusal="The loss brings its own value_and_grad, whose steps cannot be looked into.")
    try:
        with precision(run.state.params):
            found = _found(run, data)
    except DescendError:
        raise
    except Exception as error:  # whatever a loss, or a library in it, does not stand
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        found = Probe(refusal=f"The loss could not be evaluated equation by equation: {told}")
    return replace(found, seconds=time.perf_counter() - began)


def random_draws(run: Run, data: Any) -> list[Site]:
    """Where a loss draws random numbers although it is evaluated on `data` without any being asked for: from a key of
    its own, which is the same each time."""
    with precision(run.state.params):
        program = Program(_traced(run, data).graph)
    # A key that lies in the batch or in the state, or is made of them, is another in other steps.
    own = lambda op: not any(value.kind in GIVEN for operand in op.operands for value in before(operand))
    return [program.sites[op] for op in program.graph.ops if op.primitive in DRAWS and own(op)]


def _traced(run: Run, data: Any) -> Traced:
    params, batch, carried = evaluating.given(run, data)
    descent = run.descent

    def loss(params: Any, batch: Any, state: Any, key: Any) -> Any:
        return descent.call(params, batch, carried._replace(state=state, key=key))

    return Traced.of(loss, {"params": params, "batch": batch, "state": carried.state, "key": carried.key})


def _found(run: Run, data: Any) -> Probe:
    traced = _traced(run, data)
    program = Program(traced.graph)
    layers = units.layers(program)
    asked = [
        *units.questions(program), *softmaxes.doubled(program), *softmaxes.missing(program), *fitting.targets(program),
        *unsafe.questions(program),
    ]  # fmt: skip
    answers = answered(traced, [*asked, *map(units.sizes, layers)], [op.path for op in layers])
    facts = [fact for i, question in enumerate(asked) if (fact := question.answer(numbers_of(answers, i))) is not None]
    found = [fact for fact in facts if isinstance(fact, Finding)]
    broken = _broken(program, traced, answers)
    return Probe(
        float(answers.value),
        (*broken, *found, *fitting.broadcasts(program), *_of_gradients(program, traced, answers, facts)),
        tuple(units.scales(program, layers, len(asked), answers)),
        tuple(fact for fact in facts if isinstance(fact, Activation)),
        tuple(_unseen(program)),
    )


def _broken(program: Program, traced: Traced, answers: Answers) -> list[Finding]:
    """The first number that is not finite, if there is one."""
    if np.isfinite(answers.value) and all(np.isfinite(gradient).all() for gradient in answers.gradients):
        return []
    found = nonfinite.first(program, traced, float(answers.value))
    return [found] if found is not None else []


def _of_gradients(program: Program, traced: Traced, answers: Answers, facts: list[Any]) -> list[Finding]:
    params = [value for value in program.graph.inputs if value.kind == "params"]
    arrays = [jax.device_get(array) for array, (kind, _) in zip(traced.arrays, traced.names, strict=True)
              if kind == "params"]
    zero = gradients.zero_gradients(program, params, arrays, answers.gradients, facts)
    if answers.value == 0 and all(one.reason in ("dead", "") for one in zero):
        zero = []  # no loss is left
    return [*zero, *gradients.symmetric_units(params, arrays, answers.gradients)]


def _unseen(program: Program) -> list[str]:
    """What was evaluated as it is, in words."""
    words = {"while": "a while loop", "cond": "a branch"}
    return [f"Not looked into: {words.get(op.primitive, 'code on the host')} ({program.sites[op].place})."
            for op in program.graph.ops if op.primitive in CLOSED]

