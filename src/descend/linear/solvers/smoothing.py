"""Losses with corners and an l1 penalty on many columns: a smoothed loss is minimised, with ever less smoothing.

    μ ← μ/4,  u ← argmin F_μ(u),  until the gap of F itself is small enough

The slopes of a smoothed loss are dual points of the loss itself, so each step has its gap. At the minimum of F_μ it is
at most the smoothing; once it is not much more, the rest of the way is the smoothing's.

Reference: Nesterov (2005), "Smooth minimization of non-smooth functions".
"""

import numpy as np

from descend.linear.problems.matrix import Array
from descend.linear.problems.scalar import Problem
from descend.linear.solvers.accelerated import accelerated
from descend.linear.solvers.convergence import Steps

LESS = 0.25
LEAST = 1e-12  # of the first smoothing
NEAR = 1.5  # of the smoothing: a gap with which it is made less
INNER = 1000  # steps at one smoothing


def smoothing(problem: Problem, u: Array) -> Steps:
    """Descend from u."""
    y = problem.rows.y
    first = mu = 1.0 if problem.loss.kind.classes else float(np.abs(y - np.median(y)).mean()) or 1.0
    lower = -np.inf
    while mu > LEAST * first:
        smooth = problem.smoothed(mu)
        for number, point in enumerate(accelerated(smooth, u)):
            u, lower = point.u, max(lower, point.lower)
            if number or mu == first:
                yield point
            if point.value - lower <= NEAR * smooth.loss.smoothing or number >= INNER:
                break
        mu *= LESS
    return "the smoothing cannot be made any less"
