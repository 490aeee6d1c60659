"""What can be said of a minimum where no dual point is at hand, for want of a penalty: Newton's decrement.

A dual point asks that the slopes are orthogonal to each column that is not penalised, and rounding alone prevents it;
next to no penalty is no better. What is left is ½ ∇Fᵀ (∇²F)⁻¹ ∇F, the distance to the minimum of a quadratic function.
Of other losses it is an estimate, near where the gradient is small, but no proof: where a loss falls for ever like an
exponential, it is half of the distance.

It is worth what is known of the Hessian along every direction (`Curvature`), and what of the gradient is rounding is
counted to it, by the curvature that there is.

Of penalties with a corner at 0, and of coefficients that must not be negative, ∇F is the subgradient nearest to 0: each
subgradient e has F(v) ≥ F(u) + eᵀ(v − u) + ½ (v − u)ᵀ∇²F(v − u) for a quadratic loss.

Reference: Boyd and Vandenberghe (2004), *Convex optimization*, section 9.5.
"""

from dataclasses import replace

import numpy as np

from descend.linear.problems.curvature import DENSE_HESSIAN, Curvature
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.solvers.convergence import NEGLIGIBLE_GAP, Solution
from descend.stopping import Reason


def curvature_at(problem: Problem, z: Array) -> Curvature:
    """Of a problem at these scores, along all directions."""
    return Curvature(problem.hessian(z), lambda V: problem.hessian_root(z, V))


def decrement(problem: Problem, curvature: Curvature, point: Iterate, z: Array) -> float:
    """How far a quadratic function with this gradient is above its minimum, at most; infinite, where that is not known.

    It is not of slopes whose size is not, as those of rates in a file.
    """
    fixed = problem.at_best_scale(z)
    slope, blur = fixed.slope_bound(point.value, z), problem.score_rounding(*problem.to_user(point.u))
    if not np.isfinite(slope):
        return float("inf")
    gradient = problem.subdifferential.least_subgradient(point.u, point.gradient)
    seen = curvature.decrement(gradient, problem.gradient_rounding(slope), slope)
    return seen + curvature.left_out(gradient, point.u) + 0.5 * fixed.curvature_bound(z) * blur**2


def rounding_of_squares(problem: Problem, u: Array, value: float) -> float:
    """By how much squares may be more than it seems: errors of scores are squared, too, and beside an intercept, which
    takes their mean, nothing else comes of them; without one they add to the errors.
    """
    blur = problem.score_rounding(*problem.to_user(u))
    errors = 0.0 if problem.intercept and value > blur**2 else float(np.sqrt(2 * max(value, 0.0)))
    return float((0.5 * blur + errors) * blur)


def accept_by_decrement(problem: Problem, solution: Solution, tol: float) -> Solution:
    """The solution, with the weaker guarantee if there can be no other, and it is met."""
    rough = bool(problem.loss.kind.corners)
    if solution.reason.name != "stalled" or rough or problem.size > DENSE_HESSIAN or not np.isfinite(solution.value):
        return solution
    z = problem.score_buffer()
    point = problem.evaluate(solution.u, z, bounded=False)
    curvature = curvature_at(problem, z)
    is_exact = problem.loss.kind.quadratic
    if curvature.null.size and problem.penalty.is_smooth and problem.outputs == 1:
        # Of all minima, the one whose coefficients have the least norm.
        least = curvature.nearest(point.u, problem.standardisation[1])
        point = problem.evaluate(least, z, bounded=False)
        solution = replace(solution, u=point.u, value=point.value)
    away = (1 if is_exact else 2) * decrement(problem, curvature, point, z)
    if is_exact:
        # No squares are less than 0.
        away = min(away, point.value) + rounding_of_squares(problem, point.u, point.value)
    if not away <= max(tol * abs(solution.value), NEGLIGIBLE_GAP * max(abs(solution.curve[0]), problem.loss_scale)):
        return solution
    evidence = f"by Newton's decrement the loss is {away:.2g} above its minimum, at most {tol:g} of it"
    if not is_exact:
        evidence += "; an estimate, as no dual bound comes as near"
    return replace(solution, reason=Reason("converged", evidence, solution.reason.step),
                   lower=max(solution.lower, solution.value - away) if is_exact else solution.lower,
                   dependent=dependent(problem, curvature))


def round_to_precision(problem: Problem, solution: Solution, tol: float) -> Solution:
    """The solution with its coefficients as the user gets them, in the precision of the matrix.

    Rounded, they may be above the minimum by more; mostly it is seen without a pass over the rows that they are not.
    """
    if problem.matrix.dtype == np.float64 or not np.isfinite(solution.value):
        return solution
    u = problem.from_user(*problem.coefficients(solution.u))
    if np.array_equal(u[:-1], solution.u[:-1]):
        return solution
    gap = solution.gap if np.isfinite(solution.gap) else 0.0
    allowed = max(tol * (abs(solution.value) - gap), NEGLIGIBLE_GAP * max(abs(solution.curve[0]), problem.loss_scale))
    rise = _rise(problem, u - solution.u, allowed)
    if solution.reason.name == "converged" and gap + rise <= allowed:
        return replace(solution, u=u, lower=solution.lower - rise)
    rise = max(0.0, problem.evaluate(u, problem.score_buffer(), bounded=False).value - solution.value)
    found = replace(solution, u=u, value=solution.value + rise)
    if gap + rise <= allowed or solution.reason.name != "converged":
        return found
    evidence = (f"in {problem.matrix.dtype} the coefficients are {rise:.2g} above those that were found, too much for "
                f"{tol:g} of the loss: give X in float64")
    return replace(found, reason=Reason("stalled", evidence, solution.reason.step))


def _rise(problem: Problem, move: Array, gap: float) -> float:
    """How much a loss of bounded curvature rises at most by a small move from so near to its minimum."""
    bend = problem.loss.unsmoothed_curvature_bound
    # Of scores, as columns have unit spread.
    length = float(np.abs(move).sum())
    straight = float(np.abs(problem.threshold) @ np.abs(move))
    return float(np.sqrt(2 * (bend + 1) * gap)) * length + 0.5 * (bend + 1) * length**2 + 2 * straight


def dependent(problem: Problem, curvature: Curvature) -> Array:
    """The columns of the matrix that depend on each other: of losses that bend everywhere, those that H cannot tell."""
    if not problem.loss.kind.strictly_convex:
        return np.zeros(0, int)
    return np.unique(curvature.dependent() // problem.outputs)
