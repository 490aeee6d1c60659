"""Whether outputs and targets fit: their shapes and their ranges."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from descend.insight.probe.findings import Broadcast, Finding, TargetRange
from descend.insight.probe.flow import moved, number_of, softmaxed, uses
from descend.insight.probe.graph import Op, Value
from descend.insight.probe.interpreting import Arrays
from descend.insight.probe.measuring import Measure, Numbers, Question
from descend.insight.probe.program import Program
from descend.insight.probe.ranges import INF, Range
from descend.insight.probe.sites import called_by

PAIRWISE = {"sub", "mul", "div", "add", "max", "min", "eq", "ne", "lt", "gt", "le", "ge", "pow", "atan2"}
# By which one says that rows are to meet columns.
MEANT = {"_getitem", "expand_dims", "reshape", "broadcast_to", "atleast_2d", "_vmap", "vmap_f", "outer", "meshgrid"}
RANGE_TOLERANCE = 0.05  # of an output's range, by which it may be narrower than the targets': shares are often clipped
SOME = 0.01  # of the targets, which may be outliers


def broadcasts(program: Program) -> list[Broadcast]:
    """Where a column of predictions meets a row of targets though nobody said so."""
    flow, found = program.flow, []
    for op in program.graph.ops:
        if op.primitive not in PAIRWISE or len(op.operands) != 2 or op.result in flow.hidden:
            continue
        one, other = op.operands
        predicted, target = (one, other) if one in flow.trained else (other, one)
        if predicted not in flow.trained or not flow.is_target(target):
            continue
        # If rows were made of the targets by hand, all pairs were meant: of ranks, of distances.
        before = _widened(target)
        if before is not None and _meet(program, predicted, target, op.result):
            found.append(Broadcast(program.sites[op], (_widened(predicted) or predicted).shape, before.shape))
    return found


def _meet(program: Program, one: Value, other: Value, result: Value) -> bool:
    """Whether the examples of both lie along different axes."""
    places = [{i for i, axis in enumerate(program.axes[value]) if axis == "example"} for value in (one, other)]
    return len(result.shape) >= 2 and all(len(place) == 1 for place in places) and places[0] != places[1]


def _widened(value: Value) -> Value | None:
    """What an array was before it got another shape, unless it has none or that was meant."""
    found = None
    while value.op and value.op.primitive in ("broadcast_in_dim", "reshape", "convert_element_type"):
        changes_shape = value.op.primitive != "convert_element_type"
        if changes_shape and MEANT & called_by(value.op.equations[-1]):
            break
        value = value.op.operands[0]
        found = value if changes_shape else found
    return found


def targets(program: Program) -> Iterator[Question]:
    """For each comparison of an output that has bounds with targets: are they within them?"""
    flow = program.flow
    for op in program.graph.ops:
        if op.primitive in ("sub", "mul") and op.result not in flow.hidden and len(op.operands) == 2:
            for i in (0, 1):
                output, target = op.operands[i], op.operands[1 - i]
                if output in flow.trained and flow.is_target(target) and flow.fed >= {output}:
                    yield from _compared(program, op, output, target, 1 - i)
        elif op.primitive == "gather" and op.result not in flow.hidden:
            yield from _picked(program, op)


def _compared(program: Program, op: Op, output: Value, target: Value, place: int) -> Iterator[Question]:
    bounds = program.range(output)
    if op.primitive == "sub" and (bounds.low > -INF or bounds.high < INF) and _is_output(output):
        yield _beyond(program, op, place, "difference", bounds)
    elif op.primitive == "mul" and _complement_is_used(target, program):
        yield _beyond(program, op, place, "cross-entropy", Range(0, 1))


def _is_output(value: Value) -> bool:
    """Whether an array comes from a nonlinearity that bounds it, rather than from a square or a distance."""
    # Squares, distances and counts are bounded, too, but a difference from them is seldom one of an output.
    made = moved(value).op
    return made is not None and (made.primitive in ("tanh", "logistic", "max", "min", "clamp", "erf", "select_n")
                                 or softmaxed(made) is not None)


def _complement_is_used(target: Value, program: Program) -> bool:
    """Whether `1 - t` is multiplied by what depends on parameters, too: then t is a probability."""
    t = moved(target)
    for use in uses(t):
        if use.primitive == "sub" and moved(use.operands[1]) is t and number_of(use.operands[0]) == 1:
            for other in uses(use.result):
                if other.primitive == "mul" and any(value in program.flow.trained for value in other.operands):
                    return True
    return False


def _beyond(program: Program, op: Op, place: int, kind: str, bounds: Range) -> Question:
    site = program.sites[op]
    span = bounds.high - bounds.low
    margin = RANGE_TOLERANCE * (span if span < INF else 0.0)

    def share(operands: Arrays, _: Arrays) -> object:
        t = operands[place]
        return jnp.mean((t < bounds.low - margin) | (t > bounds.high + margin))

    def answer(numbers: Numbers) -> Finding | None:
        if not float(numbers["share"]) > SOME:
            return None
        return TargetRange(site, kind, *bounds, *(float(numbers[n]) for n in ("least", "greatest", "share")))  # type: ignore[arg-type]

    return Question(op, {
        "share": Measure("greatest", share),
        "least": Measure("least", lambda operands, _: jnp.min(operands[place])),
        "greatest": Measure("greatest", lambda operands, _: jnp.max(operands[place])),
    }, answer)  # fmt: skip


def _picked(program: Program, op: Op) -> Iterator[Question]:
    """An output's number at a target's place: is the place there? Beyond the end, JAX takes the last."""
    scores, places = op.operands[:2]
    flow = program.flow
    if scores not in flow.trained or scores not in flow.fed or not flow.is_target(places):
        return
    numbers = op.params["dimension_numbers"]
    sizes = np.array([scores.shape[i] - op.params["slice_sizes"][i] for i in numbers.start_index_map])
    site = program.sites[op]
    every = tuple(range(len(places.shape) - 1))

    def beyond(operands: Arrays, _: Arrays) -> object:
        return jnp.mean(jnp.any((operands[1] < 0) | (operands[1] > sizes), axis=-1))

    def least_negative(operands: Arrays, _: Arrays) -> object:
        negative = jnp.where(operands[1] < 0, operands[1], jnp.iinfo(operands[1].dtype).min)
        return jnp.max(negative, axis=every)

    def answer(told: Numbers) -> Finding | None:
        # One negative number, such as -100, is how targets are marked that do not count.
        is_marked = (told["greatest"] <= sizes) & ((told["least"] >= 0) | (told["least"] == told["negative"]))
        if not float(told["share"]) > 0 or is_marked.all():
            return None
        worst = int(np.argmax(told["greatest"] - sizes))
        return TargetRange(site, "class number", 0, float(sizes[worst]), float(told["least"][worst]),
                           float(told["greatest"][worst]), float(told["share"]))

    yield Question(op, {
        "share": Measure("greatest", beyond),
        "negative": Measure("greatest", least_negative),
        "least": Measure("least", lambda operands, _: jnp.min(operands[1], axis=every)),
        "greatest": Measure("greatest", lambda operands, _: jnp.max(operands[1], axis=every)),
    }, answer)  # fmt: skip
