"""Faults of the loss itself, which a probe of it finds on the user's own line."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from descend._tree import named_leaves
from descend.engine.programs import programs_of
from descend.insight.case import Case
from descend.insight.faults.changes import redrawn, with_data, with_loss
from descend.insight.faults.data import on_leaf, target_of
from descend.insight.faults.suspicion import Suspicion
from descend.insight.judging import examples_of
from descend.insight.probe import (
    Broadcast,
    DeadUnits,
    DoubleSoftmax,
    Finding,
    NonFinite,
    Saturated,
    TargetRange,
    Unsafe,
    UnsafeDivision,
    UnsafeLog,
    UnsafeRoot,
    ZeroGradient,
    mended,
    probe,
)

MOST_PLACES = 8  # of a loss that are mended together
MANY = 0.5  # of a layer's units, from which on it is hardly one any more
FAULT_OF = {"log": "logarithm of zero", "div": "division by zero", "sqrt": "root of zero", "rsqrt": "root of zero",
         "pow": "root of zero", "exp": "overflow of an exponential"}  # fmt: skip


def doubled(case: Case) -> Suspicion | None:
    """A softmax of what is one already."""
    return _of_loss(case, DoubleSoftmax, "doubled softmax", "without the inner softmax", 0.95)


def broadcast(case: Case) -> Suspicion | None:
    """A column against a row."""
    return _of_loss(case, Broadcast, "broadcast", "with each prediction against its own target", 0.95)


def frozen(case: Case) -> Suspicion | None:
    """Parameters that no gradient comes to, because something stops it."""
    found = next((f for f in findings(case) if isinstance(f, ZeroGradient) and f.reason == "stopped"), None)
    return _mending(case, found, "frozen layer", "without the stop_gradient", 0.8) if found else None


def unsafe(case: Case) -> Suspicion | None:
    """A logarithm, a root or a division where there is none."""
    broken = next((f for f in findings(case) if isinstance(f, NonFinite) and f.site), None)
    if broken is not None and broken.site is not None and broken.site.primitive in FAULT_OF:
        return _mending(case, broken, FAULT_OF[broken.site.primitive], "kept away from where it has no value", 0.97)
    kinds = {UnsafeLog: "log", UnsafeDivision: "div", UnsafeRoot: "sqrt"}
    found = next((f for f in findings(case) if isinstance(f, Unsafe)), None)
    if found is None:
        return None
    name = FAULT_OF[kinds[type(found)]]
    return _mending(case, found, name, "kept away from where it has no value", 0.9 if case.has_diverged else 0.4)


def dead(case: Case) -> Suspicion | None:
    """Rectified units that are 0 for all examples, from the start."""
    return _of_units(case, DeadUnits, "dead units")


def saturated(case: Case) -> Suspicion | None:
    """Units that are at an end of their range for nearly all examples, from the start."""
    return _of_units(case, Saturated, "saturated units")


def beyond_range(case: Case) -> Suspicion | None:
    """A target that the output cannot have."""
    found = next((f for f in findings(case) if isinstance(f, TargetRange)), None)
    if found is None or not np.isfinite([found.low, found.high, found.least, found.greatest]).all():
        return None
    name, examples = target_of(examples_of(case.start)), examples_of(case.start)
    if name is None or found.kind != "difference":
        return None
    values = np.asarray(named_leaves(examples)[name], np.float64)
    low, high = float(values.min()), float(values.max())
    size = (found.high - found.low) / max(high - low, 1e-30)
    change = on_leaf(name, lambda y: (found.low + (y - low) * size).astype(y.dtype))
    fit = with_data("with a target in the range of the output", change, "y scaled to the range of the output, or an "
                    "output without a range", change, unit=size**2)
    return Suspicion("loss and target do not fit", "loss", found.says, [fit], found.says, likely=0.9)


def findings(case: Case) -> Sequence[Finding]:
    """What a probe found at the start; of a descent that diverged, also at its last finite parameters."""
    at_end = case.probed(case.end.step).findings if case.has_diverged and case.end.step > case.start.step else ()
    return [*case.probed(case.start.step).findings, *at_end]


def _of_loss(case: Case, kind: type[Finding], name: str, words: str, likely: float) -> Suspicion | None:
    found = next((f for f in findings(case) if isinstance(f, kind)), None)
    return _mending(case, found, name, words, likely) if found else None


def _mending(case: Case, found: Finding, name: str, words: str, likely: float) -> Suspicion:
    """The loss mended in one place; both descents are judged by the loss that was meant."""
    loss = mended(case.start.descent.loss, found)
    if isinstance(found, NonFinite):
        loss = _all_mended(case, loss)
    line = f"{found.site.place}, {words}" if found.site else words
    return Suspicion(name, "loss", found.says, [with_loss(words, lambda _: loss, line)], found.says, likely=likely,
                     judged=lambda judge: dataclasses.replace(judge, loss=loss))


def _all_mended(case: Case, loss: Callable[..., Any]) -> Callable[..., Any]:
    """The loss mended wherever it is not finite at the start: what is written once is often written again."""
    for _ in range(MOST_PLACES):
        descent = dataclasses.replace(case.start.descent, loss=loss, programs=programs_of(loss))
        still = probe(dataclasses.replace(case.start, descent=descent)).findings
        other = next((f for f in still if isinstance(f, NonFinite) and f.site), None)
        if other is None or other.site is None or other.site.primitive not in FAULT_OF:
            break
        loss = mended(loss, other)
    return loss


def _of_units(case: Case, kind: type[DeadUnits] | type[Saturated], name: str) -> Suspicion | None:
    found = [f for f in case.probed(case.start.step).findings if isinstance(f, kind) and f.share >= MANY]
    if not found or case.start.step > 0:
        return None
    worst = max(found, key=lambda f: f.share)
    change = redrawn("with weights drawn anew and biases at 0",
                     "weights from jax.nn.initializers.glorot_normal(), biases from zeros")
    return Suspicion(name, "start", worst.says, [change], worst.says, likely=0.9, group="start")


OF_LOSSES = (doubled, broadcast, unsafe, beyond_range, dead, saturated, frozen)
