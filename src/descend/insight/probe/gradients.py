"""Gradients that are exactly zero, and units that will stay equal."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from descend.insight.probe.findings import Activation, DeadUnits, Reason, SymmetricUnits, ZeroGradient
from descend.insight.probe.flow import LAYERS, ZERO_SLOPE, before, log_summed, made_by, moved, softmaxed
from descend.insight.probe.graph import Op, Value
from descend.insight.probe.program import Program
from descend.insight.probe.sites import Site

EQUAL_TOLERANCE = 1e-4  # of the largest, by which equal units' gradients may differ


def zero_gradients(
    program: Program, params: Sequence[Value], arrays: Sequence[Any], gradients: Sequence[Any], units: Sequence[Any]
) -> list[ZeroGradient]:
    """The parameters whose gradient is exactly zero, those with the same reason together."""
    found: dict[tuple[Reason, Site | None], list[str]] = {}
    zeros = {value: bool(np.any(gradient)) for value, array, gradient in zip(params, arrays, gradients, strict=True)
             if not np.any(array)}
    for value, gradient in zip(params, gradients, strict=True):
        if np.size(gradient) and not np.any(gradient):
            reason = _reason(program, value, zeros, units)
            if reason is not None:
                found.setdefault(reason, []).append(value.name)
    return [ZeroGradient(site, tuple(paths), reason) for (reason, site), paths in found.items()]


def _reason(
    program: Program, value: Value, zeros: dict[Value, bool], units: Sequence[Any]
) -> tuple[Reason, Site | None] | None:
    """Why a gradient is zero, and where; `None` if it will not be after a step. `zeros`: parameters that are zero, and
    whether they will move."""
    reaching = program.flow.reaching
    if value not in reaching:
        return "unused", None
    # Followed as far as there is a slope: if the loss is not reached, what was met last says why.
    seen, met = _followed(value, lambda op: op.primitive in ZERO_SLOPE)
    if program.graph.value not in seen:
        ends = [op for op in met if op.result in reaching]
        stops = [op for op in ends if op.primitive == "stop_gradient"]
        end = (stops or ends)[0] if ends else None
        return ("stopped" if stops else "rounded"), program.sites.get(end) if end else None
    single = [op for op in program.graph.ops if op.result in seen and _is_of_one(op)]
    if single:
        return "single", program.sites[single[0]]
    dead = [unit.site for unit in units if unit.site in _sites(program, seen) and _all_dead(unit)]
    if dead:
        return "dead", dead[0]
    return _behind_zeros(program, value, seen, zeros)


def _behind_zeros(
    program: Program, value: Value, seen: set[Value], zeros: dict[Value, bool]
) -> tuple[Reason, Site | None] | None:
    """Whether a parameter is multiplied by zeros, which it is no more where they will move."""
    for op in program.graph.ops:
        if op.primitive in LAYERS and any(operand in seen for operand in op.operands):
            others = [moved(operand) for operand in op.operands if moved(operand) is not value]
            if any(zeros.get(other) for other in others):
                return None
            if any(weights in zeros for other in others for weights in before(other)):
                return "zeros", program.sites[op]
    return "", None


def _is_of_one(op: Op) -> bool:
    """Whether this is a softmax, or the logarithm in one, of a single number."""
    total = made_by(op.operands[1], "reduce_sum") if softmaxed(op) is not None else None
    if log_summed(op) is not None:
        inner = made_by(op.operands[0], "abs")
        total = made_by(inner.operands[0] if inner else op.operands[0], "reduce_sum")
    return total is not None and all(total.operands[0].shape[axis] == 1 for axis in total.params["axes"])


def _all_dead(unit: Any) -> bool:
    if isinstance(unit, DeadUnits):
        return unit.dead == unit.units
    return isinstance(unit, Activation) and unit.kind == "relu" and unit.out == unit.units


def _sites(program: Program, seen: set[Value]) -> set[Site]:
    """Where the operations are that give these arrays."""
    return {program.sites[op] for op in program.graph.ops if op.is_equation and any(v in seen for v in op.results)}


def _followed(value: Value, ends: Callable[[Op], bool]) -> tuple[set[Value], list[Op]]:
    """What depends on an array, up to some operations, and which of these were met."""
    seen, waiting, met = {value}, [value], []
    while waiting:
        for op in waiting.pop().uses:
            if ends(op):
                met.append(op)
                continue
            for result in op.results:
                if result not in seen:
                    seen.add(result)
                    waiting.append(result)
    return seen, met


def symmetric_units(
    params: Sequence[Value], arrays: Sequence[Any], gradients: Sequence[Any]
) -> list[SymmetricUnits]:
    """The weights all of whose units are equal, and have equal gradients."""
    paths: list[str] = []
    sizes: list[int] = []
    for value, array, gradient in zip(params, arrays, gradients, strict=True):
        if array.ndim < 2 or not np.isfinite(gradient).all():
            continue
        for axis in (0, array.ndim - 1):
            units = array.shape[axis]
            if units > 1 and _are_equal(np.asarray(array), axis, 0) and _are_equal(gradient, axis, EQUAL_TOLERANCE):
                paths.append(value.name)
                sizes.append(units)
                break
    return [SymmetricUnits(None, tuple(paths), sizes[0])] if paths else []


def _are_equal(array: np.ndarray, axis: int, relative: float) -> bool:
    """Whether all along an axis are equal, but for a part of the largest."""
    first = np.take(array, [0], axis=axis)
    return bool(np.abs(array - first).max() <= relative * np.abs(array).max())

