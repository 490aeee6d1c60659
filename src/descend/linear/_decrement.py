"""What can be said of a minimum where no dual point is at hand, for want of a penalty: Newton's decrement.

A dual point asks that the slopes are orthogonal to each column that is not penalised, and rounding alone prevents it;
next to no penalty is no better. What is left is the estimate that Newton's method makes of the distance to the minimum,
½ ∇Fᵀ (∇²F)⁻¹ ∇F: exact for quadratic losses, near to it where the gradient is small, but no proof.

Reference: Boyd and Vandenberghe (2004), *Convex optimization*, section 9.5.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from descend.linear._kernels.losses import SMOOTHED
from descend.linear._newton import solved
from descend.linear._solution import Solution
from descend.linear._solve import SMALL
from descend.stopping import Reason

NEXT_TO_NONE = 1e-12  # of the loss's curvature


def without_proof(problem: Any, solution: Solution, tol: float) -> Solution:
    """The solution, with the weaker guarantee if there can be no other, and it is met."""
    rough = problem.l1.any() or problem.loss.kind in SMOOTHED
    if solution.reason.name != "stalled" or rough or problem.size > SMALL or not np.isfinite(solution.value):
        return solution
    z = problem.scores()
    point = problem.evaluate(solution.u, z, bounded=False)
    hessian = problem.hessian(z)
    penalised = problem.curvature_of_penalty > NEXT_TO_NONE * np.diag(hessian)
    columns = problem.matrix.shape[1] * (problem.size // (problem.matrix.shape[1] + 1))  # intercepts come last
    if penalised[:columns].all():
        return solution
    decrement = max(0.0, 0.5 * float(solved(hessian, point.gradient) @ point.gradient))
    if not decrement <= tol * abs(solution.value):
        return solution
    evidence = (f"by Newton's decrement the loss is {decrement:.2g} above its minimum, at most {tol:g} of it; an "
                "estimate, as columns without a penalty leave no dual bound")
    return replace(solution, reason=Reason("converged", evidence, solution.reason.step))
