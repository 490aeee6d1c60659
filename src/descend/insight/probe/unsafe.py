"""Logarithms, divisions and roots of what can be zero."""

from collections.abc import Iterator
from functools import partial

import jax.numpy as jnp

from descend.insight.probe.findings import Finding, Unsafe, UnsafeDivision, UnsafeLog, UnsafeRoot
from descend.insight.probe.flow import MOVES, moved, number_of, rectified, softmaxed
from descend.insight.probe.graph import Op, Value
from descend.insight.probe.interpreting import Arrays
from descend.insight.probe.measuring import Measure, Numbers, Question
from descend.insight.probe.program import Program

UNSAFE: dict[str, tuple[type[Unsafe], int]] = {
    "log": (UnsafeLog, 0), "div": (UnsafeDivision, 1), "sqrt": (UnsafeRoot, 0), "rsqrt": (UnsafeDivision, 0),
    "pow": (UnsafeRoot, 0),
}  # fmt: skip
DEGENERATE = 1e-12  # of the greatest, below which what is seldom zero is as good as zero


def questions(program: Program) -> Iterator[Question]:
    """For each operation on what can be zero: how near is it?"""
    for op in program.graph.ops:
        if op.primitive not in UNSAFE and op.primitive != "log1p":
            continue
        if op.primitive == "pow" and not 0 < (number_of(op.operands[1]) or 0) < 1:
            continue
        kind, place = UNSAFE.get(op.primitive, (UnsafeLog, 0))
        value = op.operands[place]
        bounds = program.range(value)
        zero = -1.0 if op.primitive == "log1p" else 0.0
        if value not in program.flow.trained or bounds.low != zero or not value.is_float:
            continue
        # Bounds tell that zero is not excluded; where the zero comes from tells whether to expect one.
        source = _source(value, set())
        if source is not None:
            yield _question(program, op, kind, place, zero, *source)


def _source(value: Value, seen: set[Op]) -> tuple[str, bool] | None:
    """Why an array can be zero, and whether it is so readily; what was `seen` is not looked at again."""
    op = moved(value).op
    if op is None or op in seen:
        return None
    seen.add(op)
    nonlinear = _nonlinear(op)
    if nonlinear is not None:
        return nonlinear, True
    if _is_square(op):
        return "a square or a magnitude may be 0", False
    if op.primitive not in THROUGH:
        return None
    found = [source for operand in op.operands if (source := _source(operand, seen)) is not None]
    return max(found, key=lambda source: source[1], default=None)


def _nonlinear(op: Op) -> str | None:
    """Why a nonlinearity gives 0, if it may."""
    if rectified(op) is not None:
        return "a rectifier gives 0"
    if op.primitive == "logistic":
        return "a sigmoid gives 0 where its input is far below 0"
    return "a softmax gives 0 where a score is far below another" if softmaxed(op) is not None else None


def _is_square(op: Op) -> bool:
    """Whether this is of what may be on either side of 0, and is not below it itself."""
    return op.primitive in ("abs", "square") or (op.primitive == "integer_pow" and op.params["y"] % 2 == 0) or (
        op.primitive == "mul" and moved(op.operands[0]) is moved(op.operands[1])
    )


# What keeps a zero a zero, or can make one of what was none.
THROUGH = {*MOVES, "mul", "reduce_sum", "reduce_max", "reduce_min", "max", "min", "add", "sub", "neg", "div", "gather",
           "slice", "dynamic_slice", "select_n", "clamp", "sqrt", "split", "concatenate", "reduce_prod", "cumsum",
           "integer_pow", "pow", "stop_gradient"}  # fmt: skip


def _question(
    program: Program, op: Op, kind: type[Unsafe], place: int, zero: float, source: str, readily: bool
) -> Question:
    site = program.sites[op]

    def answer(numbers: Numbers) -> Finding | None:
        least, greatest = float(numbers["least"]), float(numbers["greatest"])
        near = least <= DEGENERATE * greatest
        return kind(site, source, least) if readily or near else None

    size = partial(_size, place=place, zero=zero)
    return Question(op, {
        "least": Measure("least", lambda operands, _: jnp.min(size(operands))),
        "greatest": Measure("greatest", lambda operands, _: jnp.max(size(operands))),
    }, answer)  # fmt: skip


def _size(operands: Arrays, place: int, zero: float) -> jnp.ndarray:
    return jnp.abs(operands[place] - zero)
