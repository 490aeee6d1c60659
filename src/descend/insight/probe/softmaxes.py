"""Whether a softmax, or a sigmoid, is taken once: neither twice nor never."""

from collections.abc import Iterator
from typing import Literal

import jax.numpy as jnp
import numpy as np

from descend.insight.probe.findings import DoubleSoftmax, Finding, MissingSoftmax
from descend.insight.probe.flow import MOVES, before, log_summed, made_by, moved, number_of, softmaxed, uses
from descend.insight.probe.graph import Op, Value
from descend.insight.probe.interpreting import Arrays
from descend.insight.probe.measuring import Measure, Numbers, Question
from descend.insight.probe.program import Program
from descend.insight.probe.ranges import INF

SUM_TOLERANCE = 1e-3  # how far the sum of a softmax may be from 1
# What a number passes through that a loss is a mean or a weighted sum of.
LINEAR = {*MOVES, "neg", "reduce_sum", "mul", "div", "add", "add_any", "sub", "select_n", "slice"}


def doubled(program: Program) -> Iterator[Question]:
    """For each softmax of what may be one already: is it?"""
    asked: set[Op] = set()
    for op in program.graph.ops:
        scores = log_summed(op) if op.primitive == "log" else softmaxed(op)
        if op.primitive == "log1p":
            scores = _softplus_of(op)
        made = moved(scores).op if scores is not None else None
        if made is None or made in asked or scores not in program.flow.trained:
            continue
        is_sigmoid = made.primitive == "logistic" and not {"silu", "swish"}.intersection(made.within)
        if is_sigmoid or (softmaxed(made) is not None and op.primitive != "log1p"):
            asked.add(made)
            yield _double(program, op, made)


def _softplus_of(op: Op) -> Value | None:
    """`±x` of `log(1 + exp(-|x|))`, as libraries write `log(1 + exp x)`."""
    value = op.operands[0]
    for primitive in ("exp", "neg", "abs"):
        inner = made_by(value, primitive)
        if inner is None:
            return None
        value = inner.operands[0]
    from_zero = made_by(value, "sub")
    if from_zero and number_of(from_zero.operands[1]) == 0:
        value = from_zero.operands[0]
    negative = made_by(value, "neg")
    return negative.operands[0] if negative else value


def _double(program: Program, op: Op, inner: Op) -> Question:
    axes = _summed(inner)

    def off(_: Arrays, results: Arrays) -> object:
        return jnp.max(jnp.abs(jnp.sum(results[0], axis=axes) - 1)) if axes else jnp.zeros(())

    def answer(numbers: Numbers) -> Finding | None:
        if not numbers["off"] < SUM_TOLERANCE:
            return None
        sites = program.sites
        return DoubleSoftmax(sites[op], sites[inner], "sigmoid" if inner.primitive == "logistic" else "softmax")

    return Question(inner, {"off": Measure("greatest", off)}, answer)


def _summed(softmax: Op) -> tuple[int, ...]:
    """The axes along which a softmax's output sums to 1."""
    if softmax.primitive == "logistic":
        return ()
    total = moved(softmax.operands[1]).op
    return tuple(total.params["axes"]) if total else ()


def missing(program: Program) -> Iterator[Question]:
    """For each loss that takes probabilities, or logarithms of them: is it given plain scores?"""
    flow = program.flow
    for op in program.graph.ops:
        if op.result in flow.hidden or op.result not in flow.trained or not op.result.is_float:
            continue
        if op.primitive == "log":
            kind = _kind_of_log(program, op)
            if kind is not None:
                yield _missing(program, op, 0, kind)
        elif op.primitive in ("gather", "mul") and (place := _picked_score(program, op)) is not None:
            yield _missing(program, op, place, "softmax")


def _kind_of_log(program: Program, op: Op) -> Literal["softmax", "sigmoid"] | None:
    """Which nonlinearity is missing before a logarithm, if it is taken of what may be below 0 and is for a target."""
    x = op.operands[0]
    if program.range(x).low > -INF or not _is_output(program, x) or not _meets_target(program, op.result):
        return None
    complement = any(use.primitive == "sub" and number_of(use.operands[0]) == 1
                     and any(then.primitive == "log" for then in uses(use.result)) for use in uses(moved(x)))
    if complement:
        return "sigmoid"
    return "softmax" if _class_axis(program, moved(x)) is not None else None


def _meets_target(program: Program, value: Value) -> bool:
    """Whether an array is multiplied by targets, or has numbers picked out by them."""
    return any(use.primitive in ("mul", "gather") and any(map(program.flow.is_target, use.operands))
               for use in uses(value))


def _picked_score(program: Program, op: Op) -> int | None:
    """Which operand is scores that a target picks one of, if the loss is linear in that one and the scores are used in
    no other way."""
    flow = program.flow
    for place in (0, 1):
        scores, target = op.operands[place], op.operands[1 - place]
        if scores not in flow.trained or not flow.is_target(target) or not _is_output(program, scores):
            continue
        # A logarithm that was taken already was taken of shares, of which the range does not always tell.
        outputs = (part.op for part in before(scores) if part.op and part not in flow.hidden)
        if any(made.primitive in ("log", "log1p", "logistic") for made in outputs):
            return None
        is_alone = [use for use in uses(moved(scores)) if use.result in flow.reaching] == [op]
        if is_alone and program.range(scores).high == INF and _class_axis(program, moved(scores)) is not None:
            return place if _is_linear(program, op.result) else None
    return None


def _is_output(program: Program, value: Value) -> bool:
    """Whether an array is what a network gives for the examples."""
    return value in program.flow.fed and moved(value).op is not None and "example" in program.axes[moved(value)]


def _class_axis(program: Program, value: Value) -> int | None:
    """The axis of an output's units, from the end, if there is one."""
    axes = program.axes[value]
    return axes.index("unit") - len(axes) if axes.count("unit") == 1 else None


def _is_linear(program: Program, value: Value) -> bool:
    """Whether the loss is a weighted sum of an array, with weights that are not trained."""
    if value is program.graph.value:
        return True
    on = [use for use in value.uses if any(result in program.flow.reaching for result in use.results)]
    return bool(on) and all(
        use.primitive in LINEAR
        and (use.primitive not in ("mul", "div") or sum(other in program.flow.trained for other in use.operands) == 1)
        and _is_linear(program, use.result)
        for use in on
    )


def _missing(program: Program, op: Op, place: int, kind: Literal["softmax", "sigmoid"]) -> Question:
    scores = moved(op.operands[place])
    made, axis = scores.op, _class_axis(program, scores)
    sites = program.sites
    finding = MissingSoftmax(sites[op], sites[made or op], kind, axis)

    def off(operands: Arrays, _: Arrays) -> object:
        """How far a target's shares are from picking one class."""
        return jnp.max(jnp.abs(jnp.sum(operands[1 - place], axis=-1) - 1))

    def answer(numbers: Numbers) -> Finding | None:
        return finding if np.all(numbers.get("off", 0) < SUM_TOLERANCE) else None

    return Question(op, {"off": Measure("greatest", off)} if op.primitive == "mul" else {}, answer)
