"""Units that are out of use: rectifiers that are always 0, sigmoids and tanhs that are always at an end."""

import math
from collections.abc import Iterator
from typing import Literal

import jax.numpy as jnp
import numpy as np

from descend.insight.probe.findings import Activation, ActivationScale, DeadUnits, Finding, Saturated
from descend.insight.probe.flow import LAYERS, moved, number_of, rectified
from descend.insight.probe.graph import Op, Value
from descend.insight.probe.interpreting import Arrays
from descend.insight.probe.measuring import Answers, Measure, Numbers, Question, numbers_of
from descend.insight.probe.program import Program

FEWEST = 4  # examples, below which a unit may be at rest by chance
NEARLY_ALL = 0.95  # of the examples
END = 0.99  # of the way from the middle of a nonlinearity's range to its end
SHARE_FOUND = 0.5  # of the units, from which on it is a finding
# Which have a sigmoid or a tanh within them whose ends are where they are straight lines.
STRAIGHT = {"gelu", "silu", "swish", "hard_swish", "mish"}


def questions(program: Program) -> Iterator[Question]:
    """For each nonlinearity: which of its units are out of use?"""
    for op in program.graph.ops:
        if op.primitive not in ("max", "select_n", "tanh", "logistic") or not _is_of_units(program, op):
            continue
        if _rectified(op) is not None:
            yield _dead(program, op)
        elif op.primitive in ("tanh", "logistic") and not STRAIGHT.intersection(op.within):
            yield _saturated(program, op)


def _rectified(op: Op) -> Value | None:
    """What is rectified: `max(x, 0)`, or `x` where it is above 0 and else 0."""
    if op.primitive != "select_n" or len(op.operands) != 3:
        return rectified(op)
    test, otherwise, x = op.operands
    comparison = moved(test).op
    above = comparison is not None and comparison.primitive in ("gt", "ge") and number_of(comparison.operands[1]) == 0
    if not above or comparison is None or number_of(otherwise) != 0:
        return None
    return x if moved(comparison.operands[0]) is moved(x) else None


def _is_of_units(program: Program, op: Op) -> bool:
    flow = program.flow
    return op.result.is_float and op.result in flow.trained and op.result in flow.fed and (
        _examples(program, op) >= FEWEST
    )


def _among(program: Program, op: Op) -> tuple[int, ...]:
    """The axes along which a unit's numbers lie: all but those of units, or, where none is known, those of examples."""
    axes = program.axes[op.result]
    if "unit" in axes:
        return tuple(i for i, axis in enumerate(axes) if axis != "unit")
    return tuple(i for i, axis in enumerate(axes) if axis == "example")


def _examples(program: Program, op: Op) -> int:
    """How many numbers a unit has."""
    return math.prod(op.result.shape[i] for i in _among(program, op)) * math.prod(op.lengths)


def _dead(program: Program, op: Op) -> Question:
    among, examples, site = _among(program, op), _examples(program, op), program.sites[op]
    # An output that rests may be right: a hinge that is 0 for all examples has nothing left to learn.
    is_hidden = op.result in program.flow.hidden

    def answer(numbers: Numbers) -> Finding | Activation | None:
        dead, units = int((numbers["greatest"] == 0).sum()), numbers["greatest"].size
        if is_hidden and dead >= SHARE_FOUND * units:
            return DeadUnits(site, units, dead, examples)
        return Activation(site, "relu", units, dead, is_hidden)

    return Question(op, {"greatest": Measure("greatest", lambda _, results: jnp.max(results[0], axis=among))}, answer)


def _saturated(program: Program, op: Op) -> Question:
    among, examples, site = _among(program, op), _examples(program, op), program.sites[op]
    is_hidden = op.result in program.flow.hidden
    kind: Literal["tanh", "sigmoid"] = "tanh" if op.primitive == "tanh" else "sigmoid"

    def at_an_end(_: Arrays, results: Arrays) -> object:
        centred = results[0] if kind == "tanh" else 2 * results[0] - 1
        return jnp.sum(jnp.abs(centred) > END, axis=among)

    def answer(numbers: Numbers) -> Finding | Activation | None:
        out, units = int((numbers["ends"] >= NEARLY_ALL * examples).sum()), np.size(numbers["ends"])
        if is_hidden and out >= SHARE_FOUND * units:
            return Saturated(site, kind, units, out)
        return Activation(site, kind, units, out, is_hidden)

    return Question(op, {"ends": Measure("total", at_an_end)}, answer)


def layers(program: Program) -> list[Op]:
    """The products of weights with what comes before them."""
    flow = program.flow
    weights = lambda value: value in flow.trained and value not in flow.fed
    return [op for op in program.graph.ops
            if op.primitive in LAYERS and op.result in flow.fed and any(map(weights, op.operands))
            and op.result in flow.reaching]


def sizes(op: Op) -> Question:
    """How large is what a layer gives?"""
    square = Measure("total", lambda _, results: jnp.sum(jnp.square(results[0].astype(jnp.float32))))
    return Question(op, {"squares": square}, lambda _: None)


def scales(program: Program, ops: list[Op], first: int, answers: Answers) -> list[ActivationScale]:
    """The sizes of layers, whose questions are numbered from `first`."""
    found = []
    for i, op in enumerate(ops):
        count = math.prod(op.result.shape) * math.prod(op.lengths)
        squares = float(numbers_of(answers, first + i)["squares"])
        slopes = float(answers.slopes[op.path])
        found.append(ActivationScale(program.sites[op], math.sqrt(squares / count), math.sqrt(slopes / count)))
    return found
