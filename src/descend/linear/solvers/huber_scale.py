"""Newton's method for Huber's regression, in which the scale of errors is found with the coefficients.

Where so many rows lie on a plane that the best scale is 0, φ has corners, and Newton's method may be caught by them on
its way. So the scale is kept from falling below a bound, which is made less until it does not matter: values are those
of F at the bound, and so never below the minimum.

With p = 1 no row is within so small a scale that matters: F = 2 Σ s abs(y − Xw − b) + Σ l2 w²/2, a loss with corners.

`problems.huber_scale` has the mathematics.
"""

import math
from dataclasses import replace

import numpy as np

from descend.linear._losses import PINBALL, Loss
from descend.linear.problems.huber_scale import ScaledProblem
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import Iterates
from descend.linear.solvers.interior import interior
from descend.linear.solvers.newton import newton

# The first bound, relative to the targets' spread.
FIRST_BOUND = 0.1
BOUND_FACTOR = 0.25
# A share of the bound: a step that decreases the loss by less than this is the last but for another bound.
BOUND_DECREASE = 1e-3
# At most so many steps at one bound.
STEPS_PER_BOUND = 50


def bounded_newton(problem: ScaledProblem, u: Array) -> Iterates:
    """Descend from u, with a bound to the scale that is made ever less, until the best scale is above it."""
    bound = max(FIRST_BOUND * float(np.std(problem.rows.y)), 2 * problem.least)
    z, last = problem.score_buffer(), math.inf
    while bound > problem.least:
        bounded, before = replace(problem, least=bound, given_standardisation=problem.standardisation), math.inf
        # Newton's method at this bound, from where the one before led.
        for number, point in enumerate(newton(bounded, u)):
            u = point.u
            if number or last == math.inf:
                yield point
            if before - point.value < BOUND_DECREASE * bound or number >= STEPS_PER_BOUND:
                bounded.evaluate(u, z, bounded=False)
                if bounded.scale(z) <= bound:
                    # The rest of the way is shorter than the bound matters.
                    break
            before = last = point.value
        else:
            # It ended by itself. Above the bound the best scale does not know of it, so that this is the minimum.
            bounded.evaluate(u, z, bounded=False)
            if bounded.scale(z) > bound:
                return "the loss does not decrease any more"
        bound *= BOUND_FACTOR
    return "the scale of errors cannot be bounded any less"


def least_absolute_deviations(problem: ScaledProblem, u: Array) -> Iterates:
    """Descend from u where p is 1: four times the pinball loss of the median."""
    quarter = ScalarProblem(
        problem.matrix,
        problem.rows,
        Loss(PINBALL, 0.5),
        replace(problem.penalty, l2=problem.penalty.l2 / 4),
        problem.intercept,
        given_standardisation=problem.standardisation,
    )
    steps = interior(quarter, u)
    while True:
        try:
            point = next(steps)
        except StopIteration as end:
            return str(end.value)
        yield Iterate(point.u, 4 * point.value, 4 * point.gradient, 4 * point.lower, 4 * point.rounding)
