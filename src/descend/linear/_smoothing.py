"""Losses with corners by Newton's method: a smoothed loss is minimised, and the smoothing made ever less.

    μ ← μ/10,  u ← argmin F_μ(u),  until the gap of F itself is small enough

The slopes of a smoothed loss are dual points of the loss itself, so each step has its gap.

Reference: Nesterov (2005), "Smooth minimization of non-smooth functions".
"""

from descend.linear._matrix import Array
from descend.linear._newton import newton
from descend.linear._problem import Problem
from descend.linear._solution import Steps

LESS = 0.1
LEAST = 1e-12  # of the first smoothing
INNER = 50  # steps at one smoothing


def smoothed_newton(problem: Problem, u: Array, mu: float) -> Steps:
    """Descend from u, beginning with the smoothing `mu`."""
    least = LEAST * mu
    while mu > least:
        smooth, before = problem.smoothed(mu), float("inf")
        for number, point in enumerate(newton(smooth, u)):
            u = point.u
            if number:
                yield point
            if before - point.value < 0.1 * smooth.smoothing or number >= INNER:
                break  # the rest of the way is shorter than the smoothing matters
            before = point.value
        mu *= LESS
    return "the smoothing cannot be made any less"
