"""The first number that is not finite, of the loss or of its gradient, and what it was made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from descend.insight.probe.findings import NonFinite
from descend.insight.probe.flow import number_of
from descend.insight.probe.graph import Graph, Op, Path, Value, is_float
from descend.insight.probe.interpreting import Arrays, Hooks, interpreted, ran_once
from descend.insight.probe.program import Program
from descend.insight.probe.tracing import Traced

WHAT = {"params": "the parameter", "batch": "the data", "state": "the state", "constant": "what the loss refers to"}
# Of which it is told what they were given; what all others do is to overflow.
EXPLAINED = {"log", "log1p", "sqrt", "rsqrt", "cbrt", "div", "exp", "expm1", "pow", "integer_pow", "atan2", "tan",
             "asin", "acos", "atanh", "erf_inv", "lgamma", "digamma"}  # fmt: skip


def first(program: Program, traced: Traced) -> NonFinite | None:
    """Where the first number comes from that is not finite."""
    graph = program.graph
    given = _given(graph, traced.arrays)
    paths = {op.path: op for op in _evaluated(graph)}
    tokens = {path: jnp.zeros((*op.lengths, 2), jnp.float32) for path, op in paths.items()
              if any(value in program.flow.trained for value in op.operands)}
    which = {path: tuple(value in program.flow.trained for value in op.operands) for path, op in paths.items()}
    seen, slopes = ran_once(partial(_looked, traced, which), traced.arrays, tokens)
    in_loss = _of_loss(program, seen)
    if in_loss is not None:
        return in_loss
    if given is not None:
        return given
    return _of_gradient(program, paths, seen, slopes)


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


def _evaluated(graph: Graph) -> list[Op]:
    """What is evaluated: equations, and calls that bring their own derivative, instead of what is in them for that."""
    return [*(op for op in graph.ops if op.is_equation), *graph.customs]


@dataclass
class _Looking(Hooks):
    """At each equation: is this where numbers stop being finite, from operands to results, or in the derivatives?"""

    trained: Mapping[Path, tuple[bool, ...]]
    tokens: dict[Path, Any]
    seen: dict[Path, Any] = field(default_factory=dict)
    is_inside: bool = False

    def leaves_out(self, equation: JaxprEqn) -> bool:
        return equation.primitive.name == "debug_callback"

    def operands(self, path: Path, equation: JaxprEqn, operands: Arrays) -> Arrays:
        token = self.tokens.get(path)
        if token is None or self.is_inside:
            return operands
        chosen = [i for i, is_trained in enumerate(self.trained[path]) if is_trained and is_float(operands[i])]
        felt = _felt([operands[i] for i in chosen], token[0])
        return [felt[chosen.index(i)] if i in chosen else x for i, x in enumerate(operands)]

    def results(self, path: Path, equation: JaxprEqn, operands: Arrays, results: Arrays) -> Arrays:
        if any(map(is_float, results)):
            self.seen[path] = _told(equation.primitive.name, *jax.lax.stop_gradient((operands, results)))
        token = self.tokens.get(path)
        if token is None or self.is_inside:
            return results
        chosen = [i for i, x in enumerate(results) if is_float(x)]
        felt = _felt([results[i] for i in chosen], token[1])
        return [felt[chosen.index(i)] if i in chosen else x for i, x in enumerate(results)]

    def inside(self, path: Path) -> "_Looking":
        return _Looking(self.trained, {}, self.seen, is_inside=True)

    def at_loop(self, path: Path) -> tuple["_Looking", Any]:
        within = {other: token for other, token in self.tokens.items() if other[: len(path)] == path}
        return _Looking(self.trained, {}, {}, self.is_inside), within

    def begin(self, given: Any) -> None:
        self.tokens, self.seen = dict(given), {}

    def told(self) -> Any:
        return self.seen

    def after_loop(self, path: Path, told: Any) -> None:
        self.seen.update(told)


@jax.custom_vjp
def _felt(arrays: Arrays, token: Any) -> Arrays:  # noqa: ARG001
    """The arrays; the gradient of the token is how many of the derivatives by them are not finite."""
    return arrays


def _felt_forward(arrays: Arrays, _: Any) -> tuple[Arrays, None]:
    return arrays, None


def _felt_backward(_: None, slopes: Arrays) -> tuple[Arrays, Any]:
    return slopes, sum((jnp.sum(~jnp.isfinite(slope)) for slope in slopes), jnp.zeros((), int)).astype(jnp.float32)


_felt.defvjp(_felt_forward, _felt_backward)


def _told(primitive: str, operands: Arrays, results: Arrays) -> dict[str, Any]:
    """Whether operands and results are finite, and between what the operands lie that the others are made of."""
    finite = [jnp.all(jnp.isfinite(x)) for x in operands if is_float(x)]
    bad = [~jnp.isfinite(x) for x in results if is_float(x)]
    return {
        "operands": jnp.all(jnp.stack(finite)) if finite else jnp.array(True),
        "results": ~jnp.any(jnp.stack([jnp.any(where) for where in bad])),
        "given": [_between(x, bad[0]) for x in operands if is_float(x)] if primitive in EXPLAINED else [],
    }


def _between(x: Any, where: Any) -> Any:
    """The least and the greatest of an operand, at the places of results that are not finite, or of all of it."""
    if not x.size:
        return jnp.zeros(2)
    chosen = where | ~jnp.any(where) if x.shape == where.shape else jnp.array(True)
    least = jnp.min(jnp.where(chosen, x, jnp.inf))
    return jnp.stack([least, jnp.max(jnp.where(chosen, x, -jnp.inf))]).astype(jnp.float32)


def _looked(traced: Traced, trained: Any, arrays: Arrays, tokens: Any) -> Any:
    params = [i for i, (kind, _) in enumerate(traced.names) if kind == "params"]

    def value(numbers: Arrays, tokens: Any) -> tuple[Any, Any]:
        given = list(arrays)
        for i, array in zip(params, numbers, strict=True):
            given[i] = array
        hooks = _Looking(trained, tokens)
        return interpreted(traced.program, given, hooks)[0], hooks.seen

    slopes, seen = jax.grad(value, argnums=1, has_aux=True)([arrays[i] for i in params], tokens)
    return seen, slopes


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
                born.append((op.loop, tuple(places[0]), number, op))
    if not born:
        return None
    _, at, _, op = min(born, key=lambda one: one[:3])
    return _finding(program, op, seen[op.path], at, "forward")


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


def _of_gradient(
    program: Program, paths: Mapping[Path, Op], seen: Mapping[Path, Any], slopes: Mapping[Path, Any]
) -> NonFinite | None:
    """The last equation the derivatives by whose operands are not finite though those by its results are."""
    born = []
    for path, counts in slopes.items():
        by_operands, by_results = np.asarray(counts)[..., 0], np.asarray(counts)[..., 1]
        places = np.argwhere((by_operands > 0) & (by_results == 0))
        if len(places):
            born.append((paths[path], tuple(places[-1])))
    if not born:
        return None
    op, at = max(born, key=lambda one: (one[0].loop, one[1], one[0].path))
    return _finding(program, op, seen.get(op.path), at, "backward")


def _finding(program: Program, op: Op, told: Any, at: tuple[Any, ...], direction: Any) -> NonFinite:
    # Zero is added, so that no zero has a sign.
    given = tuple((float(both[at][0]) + 0.0, float(both[at][1]) + 0.0) for both in told["given"]) if told else ()
    iteration = tuple(int(i) for i in at)
    return NonFinite(program.sites[op], _reason(op, given, direction), given, direction, iteration)


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
