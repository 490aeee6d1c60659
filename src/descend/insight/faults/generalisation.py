"""Faults that training does not show, and held-out examples do."""

import math

import numpy as np

from descend.engine.run import Run
from descend.insight.case import Case
from descend.insight.faults.suspicion import Suspicion
from descend.insight.replay import Change
from descend.insight.rules import mean_rate
from descend.optimizers import WeightDecay

TURNED = 1.1  # times its lowest, from which on a held-out loss has turned
FORGOTTEN = 3.0  # of what weights were, e⁻³ is left at the end


def overfitting(case: Case) -> Suspicion | None:
    """A held-out loss that rises while that of training falls."""
    steps = sorted({*case.kept, case.end.step})
    if not case.judge.are_held_out or case.training is case.judge or case.has_diverged or len(steps) < 3:
        return None
    held = {step: case.loss_at(step) for step in steps}
    best = min(held, key=lambda step: held[step] if math.isfinite(held[step]) else math.inf)
    last, training = held[case.end.step], case.loss_at(case.end.step, training=True)
    if not (best < case.end.step and last > TURNED * held[best] > 0 and training < held[best]):
        return None
    told = (f"the held-out loss was {held[best]:.3g} after {best:,} steps and is {last:.3g}, that of training is "
            f"{training:.3g}")
    changes = [_stopped(case, best)]
    rate = mean_rate(case.start.descent.optimizer, case.start.step, case.length)
    if rate:
        # As much decay as forgets e⁻³ of the start's weights over the descent, whatever its rate and length.
        decay = FORGOTTEN / (rate * case.length)
        changes.append(Change(f"with a weight decay of {decay:.2g}", lambda run: _decayed(run, decay),
                              f"optimizer=WeightDecay(…, {decay:.2g})"))
    return Suspicion("overfitting", "generalisation", told, changes,
                     f"The descent learns its examples by heart: {told}.", likely=0.9, group="generalisation")


def _stopped(case: Case, step: int) -> Change:
    made = max(step - case.start.step, 1)
    return Change(f"stopped after {step:,} steps", lambda run: run, f"steps={step}, or validation= with Plateau()",
                  examples=case.length / made)


def _decayed(run: Run, decay: float) -> Run:
    return run.fork(optimizer=WeightDecay(run.descent.optimizer, float(np.float32(decay))))


OF_GENERALISATION = (overfitting,)
