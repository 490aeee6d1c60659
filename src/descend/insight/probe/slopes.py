"""Where derivatives stop being finite: felt by tokens whose gradients count what passes back through an equation."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from descend.insight.probe.graph import Op, Path, is_float
from descend.insight.probe.interpreting import Arrays, Hooks, interpreted, ran_once
from descend.insight.probe.program import Program
from descend.insight.probe.tracing import Traced

# Whose slope may not be finite where all else is: looked at first, as there are few of them. All others overflow.
STEEP = {"sqrt", "rsqrt", "cbrt", "log", "log1p", "div", "pow", "integer_pow", "atan2", "asin", "acos", "atanh",
         "acosh", "erf_inv", "custom_jvp_call", "custom_vjp_call", "exp", "reduce_prod", "cumprod"}  # fmt: skip

Place = tuple[Op, tuple[int, ...], list[Any]]


def first(program: Program, traced: Traced, ops: Collection[Op]) -> Place | None:
    """The first equation on the way back that turns finite derivatives, by its results, into others, by its operands:
    with the iterations of the loops around it, and between what each of its operands lies in them."""
    felt = [op for op in ops if any(value in program.flow.trained for value in op.operands)]
    steep = [op for op in felt if op.primitive in STEEP]
    return _first(program, traced, steep) or _first(program, traced, felt)


def _first(program: Program, traced: Traced, ops: Collection[Op]) -> Place | None:
    which = {op.path: tuple(value in program.flow.trained for value in op.operands) for op in ops}
    tokens = {op.path: jnp.zeros((*op.lengths, 2), jnp.float32) for op in ops}
    counts, seen = ran_once(partial(_felt_by, traced, which), traced.arrays, tokens)
    born: list[tuple[Op, tuple[int, ...]]] = []
    for op in ops:
        by_operands, by_results = np.moveaxis(np.asarray(counts[op.path]), -1, 0)
        places = np.argwhere((by_operands > 0) & (by_results == 0))
        # Derivatives go through a loop from its last iteration to its first.
        born += [(op, tuple(map(int, places[-1])))] if len(places) else []
    if not born:
        return None
    op, at = max(born, key=lambda one: (one[0].loop, one[1], one[0].path))
    return op, at, [between[at] for between in seen.get(op.path, [])]


@dataclass
class _Feeling(Hooks):
    """At each of some equations: are the derivatives by operands, and by results, finite?"""

    which: Mapping[Path, tuple[bool, ...]]
    tokens: Mapping[Path, Any]
    seen: dict[Path, Any] = field(default_factory=dict)

    def leaves_out(self, equation: JaxprEqn) -> bool:
        return equation.primitive.name == "debug_callback"

    def operands(self, path: Path, equation: JaxprEqn, operands: Arrays) -> Arrays:
        if path not in self.tokens:
            return operands
        self.seen[path] = [between(jax.lax.stop_gradient(x)) for x in operands if is_float(x)]
        return _felt(operands, self.which[path], self.tokens[path][0])

    def results(self, path: Path, equation: JaxprEqn, operands: Arrays, results: Arrays) -> Arrays:
        return _felt(results, [True] * len(results), self.tokens[path][1]) if path in self.tokens else results

    def at_loop(self, path: Path) -> tuple["_Feeling", Any]:
        return _Feeling(self.which, {}), {other: token for other, token in self.tokens.items() if _is_in(other, path)}

    def begin(self, given: Any) -> None:
        self.tokens, self.seen = given, {}

    def told(self) -> Any:
        return self.seen

    def after_loop(self, path: Path, told: Any) -> None:
        self.seen.update(told)


def _is_in(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


def _felt(arrays: Arrays, chosen: Collection[bool], token: Any) -> Arrays:
    """The arrays, of which the derivatives by some are felt."""
    places = [i for i, (x, is_chosen) in enumerate(zip(arrays, chosen, strict=True)) if is_chosen and is_float(x)]
    passed = dict(zip(places, _counted([arrays[i] for i in places], token), strict=True))
    return [passed.get(i, x) for i, x in enumerate(arrays)]


@jax.custom_vjp
def _counted(arrays: Arrays, token: Any) -> Arrays:  # noqa: ARG001
    """The arrays; the gradient of the token is how many of the derivatives by them are not finite."""
    return arrays


def _forward(arrays: Arrays, _: Any) -> tuple[Arrays, None]:
    return arrays, None


def _backward(_: None, slopes: Arrays) -> tuple[Arrays, Any]:
    return slopes, sum((jnp.sum(~jnp.isfinite(slope)).astype(jnp.float32) for slope in slopes), jnp.zeros(()))


_counted.defvjp(_forward, _backward)


def between(x: Any, where: Any = None) -> Any:
    """The least and the greatest number, of those at some places or of all."""
    if not x.size:
        return jnp.zeros(2)
    chosen = True if where is None else where
    least, greatest = (jnp.where(chosen, x, sign * jnp.inf) for sign in (1, -1))
    return jnp.stack([jnp.min(least), jnp.max(greatest)]).astype(jnp.float32)


def _felt_by(traced: Traced, which: Mapping[Path, tuple[bool, ...]], arrays: Arrays, tokens: Any) -> Any:
    def value(tokens: Any) -> tuple[Any, Any]:
        hooks = _Feeling(which, tokens)
        return interpreted(traced.program, arrays, hooks)[0], hooks.seen

    return jax.grad(value, has_aux=True)(tokens)
