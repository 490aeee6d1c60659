"""Losses with corners and an l1 penalty on many columns: a smoothed loss is minimised, with ever less smoothing.

    μ ← μ/4,  u ← argmin F_μ(u),  until the gap of F itself is small enough

The slopes of a smoothed loss are dual points of the loss itself, so each step has its gap. At the minimum of F_μ it is
at most the smoothing; once it is not much more, the rest of the way is the smoothing's.

Reference: Nesterov (2005), "Smooth minimization of non-smooth functions".
"""

import numpy as np

from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Problem
from descend.linear.problems.scalar import scalar
from descend.linear.solvers.accelerated import accelerated
from descend.linear.solvers.convergence import Iterates

SMOOTHING_FACTOR = 0.25
# The last smoothing, relative to the first.
SMOOTHING_FLOOR = 1e-12
# A gap, relative to the smoothing, at which that is made less.
GAP_PER_SMOOTHING = 1.5
# At most so many steps at one smoothing.
STEPS_PER_SMOOTHING = 1000


def smoothing(problem: Problem, u: Array) -> Iterates:
    """Descend from u."""
    problem = scalar(problem, "smoothing")
    y = problem.rows.y
    first = mu = 1.0 if problem.loss.kind.classes else float(np.abs(y - np.median(y)).mean()) or 1.0
    lower = -np.inf
    # Smoothing the loss by as little as is wanted in the end, from the beginning, would be one problem as badly
    # conditioned as the last of these, from as far away as the first.
    while mu > SMOOTHING_FLOOR * first:
        smooth = problem.smoothed(mu)
        for number, point in enumerate(accelerated(smooth, u)):
            u, lower = point.u, max(lower, point.lower)
            # The first point at each smoothing but the first is the last one at the smoothing before.
            if number or mu == first:
                yield point
            if point.value - lower <= GAP_PER_SMOOTHING * smooth.loss.smoothing or number >= STEPS_PER_SMOOTHING:
                break
        mu *= SMOOTHING_FACTOR
    return "the smoothing cannot be made any less"
