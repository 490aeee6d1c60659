"""Faults of where a descent stands: a saddle that it does not leave, and a valley that is steep in one direction."""

import math
from typing import Any

import jax
import numpy as np

from descend._tree import join, split
from descend.engine.run import Run
from descend.insight.case import Case, norm_of
from descend.insight.faults.rates import with_rule
from descend.insight.faults.suspicion import Suspicion
from descend.insight.replay import Change
from descend.insight.rules import innermost, rate_of, setting_of, with_setting
from descend.optimizers import SGD, Adam

STUCK = 0.01  # of the usual loss: a descent that fell by less in its second half no longer moves
LEFT = 0.05  # of the usual loss: what is below it is not worth leaving a saddle for
NEGATIVE = 0.02  # of the largest curvature that one along which the loss falls has to have
KICK = 0.1  # of the parameters' norm
AT_LIMIT = 0.25  # of the stability limit: from there on no rate can be much higher
FLAT = 0.03  # of the largest curvature that half of all directions have at the most in a steep valley
LEAST_TOLD = 1e-4  # a share of it that is told as a number
USUAL_MOMENTUM = 0.9
# Most of a loss lies along its steep directions and is soon gone, so the fall tells little: the gain has to be large.
MUCH, HARMLESS = 0.5, 0.98


def saddle(case: Case) -> Suspicion | None:
    """A descent that stands where the loss falls along a direction that its gradient does not show."""
    smooth = case.smoothed
    if case.has_diverged or len(smooth) < 4 or not np.isfinite(smooth).all() or not math.isfinite(case.usual):
        return None
    usual, late = abs(case.usual), float(smooth[len(smooth) // 2] - smooth[-1])
    if abs(late) > STUCK * usual or abs(smooth[-1]) < LEFT * usual:
        return None
    found = case.curvature_at(case.end.step)
    if found is None or found.smallest.value > -NEGATIVE * abs(found.largest.value) - found.smallest.residual:
        return None
    told = (f"in its second half the loss fell by {late:.2g}; along one direction it curves by "
            f"{found.smallest.value:.3g}, along the steepest by {found.largest.value:.3g}")
    direction = found.smallest.direction
    line = "params moved along descend.insight.spectrum(run).smallest.direction"
    moved_by = lambda share: Change(f"moved by {share:+g} of the parameters' size along the falling curvature",
                                    lambda _: _kicked(case.end, direction, share), line)  # fmt: skip
    changes = [moved_by(KICK), moved_by(-KICK)]
    return Suspicion("saddle", "geometry", told, changes,
                     "The descent stands at a saddle: along one direction the loss falls, which no gradient shows.",
                     likely=0.7, least=0.1, begins=case.end)


def ill_conditioned(case: Case) -> Suspicion | None:
    """A loss so steep along one direction that no rate that it bears gets on along the others."""
    rule = innermost(case.start.descent.optimizer)
    schedule, limit = rate_of(rule), rule.stability_limit()
    if case.has_diverged or not isinstance(rule, SGD) or schedule is None or limit is None:
        return None
    # A rate has to be stable all the way: of many losses the curvature is largest early, of others at the end.
    both = [found for step in {case.early, case.end.step} if (found := case.curvature_at(step))]
    found = max(both, key=lambda one: float(schedule(one.step)) * one.largest.value, default=None)
    if found is None or not found.largest.value > 0:
        return None
    share = float(schedule(found.step)) * found.largest.value / limit
    middle = _median(np.abs(found.values[0]), found.weights[0])
    if share < AT_LIMIT or middle > FLAT * found.largest.value:
        return None
    less = max(middle / found.largest.value, LEAST_TOLD)
    told = (f"along the steepest direction rate × curvature is {share:.0%} of the limit after {found.step} steps, and "
            f"half of all directions have less than {less:.1g} of that curvature")
    adam = Change("by Adam(0.01)", lambda run: run.fork(optimizer=Adam(0.01)), "optimizer=Adam(0.01)")
    changes = [adam]
    if not setting_of(rule, "momentum"):
        changes.append(with_rule(f"with momentum={USUAL_MOMENTUM}",
                                 lambda o: with_setting(o, "momentum", USUAL_MOMENTUM), f"momentum={USUAL_MOMENTUM}"))
    return Suspicion("ill-conditioned", "geometry", told, changes,
                     "The loss is ill-conditioned: no rate that is stable along the steepest direction gets on along "
                     "the others.", likely=0.65, least=MUCH, share=HARMLESS)


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Of values that have weights."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)])


def _kicked(run: Run, direction: Any, share: float) -> Run:
    """The run, moved along a direction of length 1 by a share of its parameters' norm."""
    numbers, rest = split(run.params)
    size = share * (norm_of(run.params) or 1.0)
    moved = jax.tree.map(lambda p, d: (np.asarray(p) + size * np.asarray(d)).astype(p.dtype), numbers, direction)
    return run.fork(params=join(moved, rest))


OF_GEOMETRY = (saddle, ill_conditioned)
