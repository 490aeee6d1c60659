"""Between which bounds the numbers of an array must lie, whatever it is given."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from descend.insight.probe.flow import MOVES, PARTS, is_below_its_maximum, moved, normalised, number_of, softmaxed
from descend.insight.probe.graph import CARRY, Graph, Op, Value

INF = math.inf
TINY = 1e-30  # the bound of what is above zero, however little


class Range(NamedTuple):
    """From `low` to `high`, both included."""

    low: float = -INF
    high: float = INF

    def __or__(self, other: "Range") -> "Range":
        return Range(min(self.low, other.low), max(self.high, other.high))


ALL = Range()

def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if abs(x) < 700 else float(x > 0)


def _whole(rounded: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: rounded(x) if abs(x) < INF else x


MONOTONE: dict[str, Callable[[float], float]] = {
    "exp": lambda x: max(math.exp(min(x, 700)), TINY), "logistic": _logistic, "tanh": math.tanh, "erf": math.erf,
    "log": lambda x: math.log(x) if x > 0 else -INF, "log1p": lambda x: math.log1p(x) if x > -1 else -INF,
    "sqrt": lambda x: math.sqrt(max(x, 0.0)), "expm1": lambda x: math.expm1(min(x, 700)),
    "floor": _whole(math.floor), "ceil": _whole(math.ceil), "round": _whole(round),
    "sign": lambda x: float(np.sign(x)), "cbrt": lambda x: math.copysign(abs(x) ** (1 / 3), x),
    "stop_gradient": lambda x: x,
}  # fmt: skip


def ranges_of(graph: Graph) -> dict[Value, Range]:
    """The bounds of all arrays."""
    known: dict[Value, Range] = {}
    for op in graph.ops:
        made = _range(op, [bounds_of(value, known) for value in op.operands])
        for result in op.results:
            known[result] = made
    return known


def bounds_of(value: Value, known: dict[Value, Range]) -> Range:
    """The bounds of an array, by what is known of results."""
    number = number_of(value) if value.op is None else None
    if number is not None and not math.isnan(number):
        return Range(number, number)
    if value in known:
        return known[value]
    dtype = getattr(value.aval, "dtype", None)
    return Range(0, 1) if dtype == np.bool_ else ALL


def _range(op: Op, given: list[Range]) -> Range:
    # What comes back into a loop is not known yet, and to guess it would need a bound on its iterations.
    if op.primitive == CARRY:
        return ALL
    if op.primitive in MOVES or op.primitive in ("reduce_max", "reduce_min", "reduce_window_max", "sort", "cummax"):
        return given[0]
    if op.primitive in MONOTONE:
        return Range(*(MONOTONE[op.primitive](bound) for bound in given[0]))
    rule = RULES.get(op.primitive)
    return rule(op, given) if rule else ALL


def _sum_of(op: Op, given: list[Range]) -> Range:
    """Of many: at least 1, if they are the exponentials of what is at most zero and somewhere is."""
    low, high = given[0]
    exponential = moved(op.operands[0]).op
    if exponential and exponential.primitive == "exp":
        shifted = moved(exponential.operands[0]).op
        if shifted and is_below_its_maximum(shifted):
            return Range(1, INF)
    return Range(low if low >= 0 else -INF, high if high <= 0 else INF)


def _product(op: Op, given: list[Range]) -> Range:
    (a, b), (c, d) = given
    # x · x is no less than 0, which the bounds of two factors that know nothing of each other would not tell.
    if moved(op.operands[0]) is moved(op.operands[1]):
        return _power(given[0], 2)
    ends = [x * y if x and y else 0.0 for x in (a, b) for y in (c, d)]
    return Range(min(ends), max(ends))


def _quotient(op: Op, given: list[Range]) -> Range:
    part = normalised(op)
    if softmaxed(op) is not None or (part is not None and given[0].low >= 0):
        return Range(0, 1)
    (a, b), (c, d) = given
    # By what may be 0, a quotient may be anything, but for its sign.
    if c <= 0 <= d:
        return Range(0, INF) if a >= 0 and c >= 0 else ALL
    ends = [x / y if abs(y) < INF else 0.0 for x in (a, b) for y in (c, d)]
    return Range(min(ends), max(ends))


def _power(given: Range, exponent: float) -> Range:
    low, high = given
    if exponent == int(exponent) and exponent > 0 and exponent % 2 == 0:
        ends = [_raised(bound, exponent) for bound in (low, high)]
        return Range(0 if low <= 0 <= high else min(ends), max(ends))
    if low >= 0 and exponent > 0:
        return Range(_raised(low, exponent), _raised(high, exponent))
    return Range(0, INF) if low >= 0 else ALL


def _raised(x: float, exponent: float) -> float:
    try:
        return float(abs(x) ** exponent)
    except OverflowError:
        return INF


def _to_a_power(op: Op, given: list[Range]) -> Range:
    exponent = op.params.get("y") if op.primitive == "integer_pow" else number_of(op.operands[1])
    return ALL if exponent is None else _power(given[0], float(exponent))


def _difference(op: Op, given: list[Range]) -> Range:
    (a, b), (c, d) = given
    if is_below_its_maximum(op):
        return Range(-INF, 0)
    return Range(_plus(a, -d, -INF), _plus(b, -c, INF))


def _plus(x: float, y: float, otherwise: float) -> float:
    return otherwise if math.isnan(x + y) else x + y


def _magnitude(op: Op, given: list[Range]) -> Range:
    low, high = given[0]
    least = low if low > 0 else -high if high < 0 else 0
    return Range(least, max(abs(low), abs(high)))


def _chosen(op: Op, given: list[Range]) -> Range:
    """One or the other; where the condition is that x is above a number, x is."""
    branches = list(given[1:])
    test = moved(op.operands[0]).op
    if test is not None and len(test.operands) == 2:
        x, bound = moved(test.operands[0]), number_of(test.operands[1])
        which = {"gt": 2, "ge": 2, "ne": 2, "lt": 1, "le": 1, "eq": 1}.get(test.primitive)
        if bound is not None and which and len(op.operands) == 3 and moved(op.operands[which]) is x:
            low, high = branches[which - 1]
            above = bound + TINY if test.primitive in ("gt", "le", "ne", "eq") else bound
            if test.primitive not in ("ne", "eq") or low >= bound:
                branches[which - 1] = Range(max(low, above), high)
    made = branches[0]
    for branch in branches[1:]:
        made = made | branch
    return made


def _clamped(op: Op, given: list[Range]) -> Range:
    least, x, greatest = given
    return Range(min(max(x.low, least.low), greatest.high), max(min(x.high, greatest.high), least.low))


def _any_of(op: Op, given: list[Range]) -> Range:
    made = given[0]
    for other in given[1:] if op.primitive in ("concatenate", "pad", "stack") else ():
        made = made | other
    return made


RULES: dict[str, Callable[[Op, list[Range]], Range]] = {
    "reduce_sum": _sum_of, "reduce_window_sum": _sum_of, "cumsum": _sum_of, "mul": _product, "div": _quotient,
    "integer_pow": _to_a_power, "pow": _to_a_power, "sub": _difference, "abs": _magnitude,
    "square": lambda op, given: _power(given[0], 2), "select_n": _chosen, "clamp": _clamped,
    "add": lambda op, given: Range(_plus(given[0].low, given[1].low, -INF), _plus(given[0].high, given[1].high, INF)),
    "neg": lambda op, given: Range(-given[0].high, -given[0].low),
    "max": lambda op, given: Range(max(given[0].low, given[1].low), max(given[0].high, given[1].high)),
    "min": lambda op, given: Range(min(given[0].low, given[1].low), min(given[0].high, given[1].high)),
    "rsqrt": lambda op, given: Range(0, 1 / math.sqrt(given[0].low) if given[0].low > TINY else INF),
    **dict.fromkeys(PARTS, _any_of),
}  # fmt: skip
