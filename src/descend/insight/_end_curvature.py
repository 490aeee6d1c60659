"""How a loss curves where a descent ended, beside what its rule can stand; if that takes next to no time."""

import math

import jax
import numpy as np

from descend._division import processes_among
from descend.engine.curvature import Around
from descend.engine.descent import NONFINITE
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight._outlook import follows_policy
from descend.insight._preconditioner import scale_of
from descend.insight.judging import examples_of, some
from descend.insight.spectrum import any_direction, krylov
from descend.sources import HostSource
from descend.training import Result

END_PRODUCTS, EXAMPLES = 10, 512  # with the Hessian, on so many examples
SHARE = 0.05  # of the training's time
# What it takes: to compile this, in what was taken until the first steps; and to run it, in steps on as many examples.
TO_COMPILE, TO_RUN = 1.2, 4.0 * END_PRODUCTS
NEAR = 0.8  # of the limit
NOTABLE = 0.01  # of the largest curvature: less is next to none
FALLEN = 0.1  # of the highest rate: below, it is what it was before that tells something


def end_curvature(result: Result) -> str:
    """A sentence; empty where it would take more than a share of the training's time, and where nothing can be told."""
    run = result.run
    if not _can_be_told(run) or _seconds(result) > SHARE * result.seconds:
        return ""
    examples = examples_of(run)
    around = Around.of(run) if examples is None else Around.looked_at(run, some(examples, EXAMPLES))
    scale = scale_of(run)
    if scale is not None and not np.isfinite(scale).all():
        return ""
    try:
        found = krylov(around, END_PRODUCTS, any_direction(around, np.random.default_rng(0)), scale)
    except InputError:  # of a loss that cannot be differentiated twice
        return ""
    if found is None or not found.values[-1] > 0:
        return ""
    is_divided = scale is not None and bool((scale != 1).any())
    limit = None if scale is None else run.descent.optimizer.stability_limit()
    of = ", divided as the rule divides its steps," if is_divided else ""
    least, largest = float(found.values[0]), float(found.values[-1])
    # Few products find the largest. The least of theirs is the curvature along one direction, and there may be less.
    down = f", and downwards by {-least:.2g} along a direction" if least < -NOTABLE * largest else ""
    return f"At the end the loss curves{of} by up to {largest:.2g}{down}." + _beside_limit(largest, limit, result)


def _can_be_told(run: Run) -> bool:
    """Whether there is a loss to look at, by this process alone, and looking leaves everything as it is: to draw from a
    loader might begin an epoch anew."""
    source = run.descent.source
    is_lost = int(run.state.guard.status) == NONFINITE
    is_fed = isinstance(source, HostSource) and examples_of(run) is None
    is_shared = processes_among(run.descent.division).are_several
    return run.step > 0 and not (is_lost or is_fed or is_shared or follows_policy(source))


def _seconds(result: Result) -> float:
    """What it would take, as far as the training tells."""
    steps = max(result.seconds - result.startup_seconds, 0.0) / result.run.step
    return TO_COMPILE * result.startup_seconds + TO_RUN * _batches(result.run) * steps


def _batches(run: Run) -> float:
    """How many batches there are in what is looked at."""
    examples = examples_of(run)
    if examples is None:
        return 1.0
    count = len(jax.tree.leaves(examples)[0])
    batch = count / (getattr(run.descent.source, "steps_per_epoch", None) or 1.0)
    return max(min(count, EXAMPLES) / batch, 1.0)


def _beside_limit(sharpness: float, limit: float | None, result: Result) -> str:
    """Rate × curvature, beside the rule's limit, where it has one."""
    rates = np.asarray(result.history.columns.get("learning_rate", ()), np.float64)
    if limit is None or not math.isfinite(limit) or not len(rates):
        return ""
    last, highest = sharpness * float(rates[-1]), sharpness * float(rates.max())
    if last >= FALLEN * highest:
        where = "" if last < NEAR * limit else ": at the edge of stability" if last <= limit / NEAR else ": beyond it"
        return f" Rate × curvature is {last:.2g}, of the limit {limit:.3g}{where}."
    so = ", and steps could not settle here" if highest > limit else ""
    would = f"rate × curvature would be {highest:.2g}, of the limit {limit:.3g}{so}"
    return f" The rate came down: at its highest, {would}."
