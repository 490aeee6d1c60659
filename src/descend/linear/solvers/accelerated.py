"""Accelerated gradient descent with a line search and restarts, and proximal steps for the l1 penalty and the bound.

    u⁺ = prox(v − ∇F(v)/L),  v⁺ = u⁺ + β (u⁺ − u)

Reference: Beck and Teboulle (2009), "A fast iterative shrinkage-thresholding algorithm for linear inverse problems";
O'Donoghue and Candès (2015), "Adaptive restart for accelerated gradient schemes".
"""

import math

import numpy as np

from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.solvers.convergence import Iterates

# Of the curvature L: where a step was too long, and after each.
CURVATURE_GROWTH, CURVATURE_DECAY = 2.0, 0.9


def accelerated(problem: Problem, u: Array) -> Iterates:
    """Descend from u."""
    z, threshold, held = problem.score_buffer(), problem.threshold, problem.subdifferential
    point = problem.evaluate(u, z, bounded=False)
    yield point
    ahead, momentum, curvature = point, 1.0, 1.0
    while True:
        # 1. A proximal step from the extrapolated point; where the loss curves more than was thought, a shorter one.
        while True:
            stepped = held.proximal(ahead.u - ahead.gradient / curvature, 1 / curvature)
            trial = problem.evaluate(stepped, z, bounded=False)
            move = stepped - ahead.u
            bound = smooth_part(ahead, threshold) + ahead.gradient @ move + 0.5 * curvature * move @ move
            if smooth_part(trial, threshold) <= bound + 1e-14 * abs(trial.value):
                break
            curvature *= CURVATURE_GROWTH
            if curvature > 1e30:
                return "no step along the gradient decreases the loss"
        # 2. A point to show, with the bound of its own slopes: the extrapolated ones are no dual point of it.
        yield problem.certified(trial, z)
        # 3. The momentum, which grows like the number of steps since it was last thrown away.
        following = 0.5 * (1 + math.sqrt(1 + 4 * momentum**2))
        #    Where it points uphill it is: O'Donoghue and Candès' gradient scheme, which needs to know of no strong
        #    convexity.
        if (ahead.u - trial.u) @ (trial.u - point.u) > 0:
            following = momentum = 1.0
        beyond = trial.u + (momentum - 1) / following * (trial.u - point.u)
        if not np.any(trial.u != point.u):
            return "the coefficients do not change any more"
        point, momentum, curvature = trial, following, CURVATURE_DECAY * curvature
        ahead = problem.evaluate(beyond, z, bounded=False) if momentum > 1 else trial


def smooth_part(point: Iterate, threshold: Array) -> float:
    """The value without the l1 penalty."""
    return point.value - float(threshold @ np.abs(point.u))
