"""The first number that is not finite, of the loss or of its gradient, and what it was made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from descend.insight.probe import slopes
from descend.insight.probe.findings import NonFinite
from descend.insight.probe.flow import number_of
from descend.insight.probe.graph import Graph, Op, Path, Value, is_float
from descend.insight.probe.interpreting import Arrays, Hooks, interpreted, ran_once
from descend.insight.probe.program import Program
from descend.insight.probe.sites import Pass
from descend.insight.probe.slopes import between
from descend.insight.probe.tracing import Traced

WHAT = {"params": "the parameter", "batch": "the data", "state": "the state", "constant": "what the loss refers to"}
# Of which it is told what they were given; what all others do is to overflow.
EXPLAINED = {"log", "log1p", "sqrt", "rsqrt", "cbrt", "div", "exp", "expm1", "pow", "integer_pow", "atan2", "tan",
             "asin", "acos", "atanh", "erf_inv", "lgamma", "digamma"}  # fmt: skip


def first(program: Program, traced: Traced, value: float) -> NonFinite | None:
    """Where the first number comes from that is not finite, of the loss, whose value is given, or of its gradient."""
    graph = program.graph
    # The loss first: if it is not finite, neither are its derivatives, for the same reason. If it is, nothing needs to
    # be looked at in it, as what is not finite there does no harm.
    found = None if np.isfinite(value) else _of_loss(program, ran_once(partial(_looked, traced), traced.arrays))
    found = found or _given(graph, traced.arrays)
    if found is not None:
        return found
    # Calls that bring their own derivative are felt as wholes: what is in them has no part in it.
    inside = tuple(call.path for call in graph.customs)
    ops = [op for op in graph.ops if op.is_equation and not any(op.path[: len(path)] == path for path in inside)]
    place = slopes.first(program, traced, [*ops, *graph.customs])
    return None if place is None else _finding(program, *place, "backward")


def _given(graph: Graph, arrays: Sequence[Any]) -> NonFinite | None:
    """Parameters or data that are not finite themselves."""
    every = [*zip(graph.inputs, arrays, strict=True), *((value, value.number) for value in graph.constants)]
    for value, array in every:
        if value.is_float and value in _used(graph) and not np.isfinite(np.asarray(array, np.float64)).all():
            name = f" '{value.name}'" if value.name else ""
            return NonFinite(None, f"{WHAT.get(value.kind, value.kind)}{name} has numbers that are not", (), "forward")
    return None


def _used(graph: Graph) -> set[Value]:
    return {value for value in (*graph.inputs, *graph.constants) if value.uses}


@dataclass
class _Looking(Hooks):
    """At each equation: is this where numbers stop being finite, from operands to results?"""

    seen: dict[Path, Any] = field(default_factory=dict)
    # Each array is an operand of several equations, and is looked at once. It is kept, so that no other has its id.
    known: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def leaves_out(self, equation: JaxprEqn) -> bool:
        return equation.primitive.name == "debug_callback"

    def results(self, path: Path, equation: JaxprEqn, operands: Arrays, results: Arrays) -> Arrays:
        if any(map(is_float, results)):
            given = [x for x in operands if is_float(x)]
            bad = ~jnp.isfinite(next(filter(is_float, results)))
            self.seen[path] = {
                "operands": self._are_finite(given), "results": self._are_finite([x for x in results if is_float(x)]),
                "given": [between(x, _places(x, bad)) for x in given] if equation.primitive.name in EXPLAINED else [],
            }  # fmt: skip
        return results

    def _are_finite(self, arrays: Arrays) -> Any:
        found = jnp.array(True)
        for x in arrays:
            if id(x) not in self.known:
                self.known[id(x)] = x, jnp.all(jnp.isfinite(x))
            found &= self.known[id(x)][1]
        return found

    def inside(self, path: Path) -> "_Looking":
        return self

    def at_loop(self, path: Path) -> tuple["_Looking", Any]:
        return _Looking(), None

    def begin(self, given: Any) -> None:
        self.seen, self.known = {}, {}

    def told(self) -> Any:
        return self.seen

    def after_loop(self, path: Path, told: Any) -> None:
        self.seen.update(told)


def _places(x: Any, bad: Any) -> Any:
    """Where a result is not finite, in an operand of the same shape; else everywhere."""
    return bad | ~jnp.any(bad) if x.shape == bad.shape else None


def _looked(traced: Traced, arrays: Arrays) -> dict[Path, Any]:
    hooks = _Looking()
    interpreted(traced.program, arrays, hooks)
    return hooks.seen


def _of_loss(program: Program, seen: Mapping[Path, Any]) -> NonFinite | None:
    """The first equation, among those that the loss's value is made of, whose results are not finite though its
    operands are; in a loop, the first in the first iteration."""
    bad = _bad(program.graph, seen)
    if program.graph.value not in bad:
        return None
    # Only what the value is made of through numbers that are not finite themselves: others do no harm.
    reached, waiting = {program.graph.value}, [program.graph.value]
    while waiting:
        op = waiting.pop().op
        for operand in op.operands if op else ():
            if operand in bad and operand not in reached:
                reached.add(operand)
                waiting.append(operand)
    born = []
    for number, op in enumerate(program.graph.ops):
        if op.is_equation and op.path in seen and any(result in reached for result in op.results):
            told = seen[op.path]
            places = np.argwhere(np.asarray(told["operands"]) & ~np.asarray(told["results"]))
            if len(places):
                born.append((op.loop, tuple(map(int, places[0])), number, op))
    if not born:
        return None
    _, at, _, op = min(born, key=lambda one: one[:3])
    return _finding(program, op, at, [pair[at] for pair in seen[op.path]["given"]], "forward")


def _bad(graph: Graph, seen: Mapping[Path, Any]) -> set[Value]:
    """The arrays that are not finite."""
    found: set[Value] = set()
    for op in graph.ops:
        if op.is_equation and op.path in seen and not np.all(seen[op.path]["results"]):
            found.update(result for result in op.results if result.is_float)
        elif not op.is_equation and any(operand in found for operand in op.operands):
            found.update(op.results)
    for op in graph.ops:
        if not op.is_equation and any(operand in found for operand in op.operands):
            found.update(op.results)
    return found


def _finding(program: Program, op: Op, at: tuple[int, ...], given: Sequence[Any], direction: Pass) -> NonFinite:
    # Zero is added, so that no zero has a sign.
    pairs = tuple((float(pair[0]) + 0.0, float(pair[1]) + 0.0) for pair in given)
    return NonFinite(program.sites[op], _reason(op, pairs, direction), pairs, direction, at)


NAMES = {"integer_pow": "power", "pow": "power", "dot_general": "product", "div": "division", "mul": "product",
         "sqrt": "root", "rsqrt": "root"}  # fmt: skip


def _reason(op: Op, given: tuple[tuple[float, float], ...], direction: str) -> str:
    """What went wrong, in words."""
    name = NAMES.get(op.primitive, op.primitive)
    if direction == "backward":
        return _of_slope(op, name, given)
    if not given:
        return f"a {name} overflows"
    (low, high), *others = given
    if op.primitive in ("log", "sqrt", "rsqrt", "log1p"):
        return f"{name.removesuffix('1p')} of {low + (op.primitive == 'log1p'):.3g}"
    if op.primitive == "div" and others[:1] == [(0, 0)]:
        return "division of 0 by 0" if low == 0 == high else "division by 0"
    exponent = number_of(op.operands[1]) if op.primitive == "pow" else op.params.get("y", 1)
    if op.primitive == "pow" and low < 0 and (exponent is None or exponent % 1):
        return f"power of {low:.3g}"
    return f"{name} of {max(low, high, key=abs):.4g} overflows"


def _of_slope(op: Op, name: str, given: tuple[tuple[float, float], ...]) -> str:
    low = given[0][0] if given else np.nan
    if op.primitive in ("sqrt", "rsqrt", "log", "pow", "cbrt") and low <= 0:
        return f"the slope of the {name} at {low:.3g}"
    if op.primitive == "div" and len(given) > 1 and given[1][0] <= 0 <= given[1][1]:
        return "the slope of a division by 0"
    return f"the slope of a {name}"
