"""Least squares, without a penalty or with one that is a square too, in closed form.

With few columns one pass gives the sums of squares and products of all columns and of the targets, in which the loss
and its gradient are known everywhere: J = ½ aᵀMa for a = (coefficients, intercept, −1). Rounding in them is told from
their condition: where it matters, or next to nothing of the targets' squares is left over, passes over the rows give
the gradient, and steps of Newton's method lead to the minimum, each of which removes most of the rounding that the last
one left. Their Hessian is known along every direction (`Curvature`): directions that the sums cannot tell are looked at
in the rows, and only those that are rounding in the columns' own numbers are left out. There are many minima then, and
this is the one whose coefficients have the least norm.

With more columns LSQR finds it, which begins at 0 and never leaves the span of the rows.

The loss is a quadratic function, so that a gradient says exactly how far the minimum is below: ½ ∇Fᵀ (∇²F)⁻¹ ∇F.

Reference: Björck (1996), *Numerical Methods for Least Squares Problems*, sections 2.4 and 2.9; Paige and Saunders
(1982), "LSQR: an algorithm for sparse linear equations and sparse least squares".
"""

from dataclasses import replace
from typing import TypeGuard

import numpy as np
from scipy.sparse.linalg import LinearOperator, lsqr

from descend.linear._kernels.threads import dot
from descend.linear.problems.curvature import DENSE_HESSIAN, SAFETY, Curvature
from descend.linear.problems.matrix import Array, Rows
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.problems.scalar import MACHINE_EPS, SUM_ROUNDINGS, ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor, Iterates, Solution
from descend.linear.solvers.newton_decrement import curvature_at, decrement, dependent, rounding_of_squares
from descend.stopping import Reason

# The share of the targets' squares left over, from which on the rest is known from their sums to many digits.
RESIDUAL_SHARE = 1e-8
# Reciprocal condition number of the sums, from which on coefficients are known to many digits.
WELL_CONDITIONED = 1e-6
# The share of the tolerance that rounding may take.
ROUNDING_SHARE = 1e-3
# At most so many.
REFINEMENT_STEPS = 5
# A share of the last step: where the next is not as much shorter, it is all rounding.
SHORTENING = 0.5


def is_least_squares(problem: Problem) -> TypeGuard[ScalarProblem]:
    """Whether a problem is one of these."""
    if not (problem.in_memory and problem.loss.kind.quadratic):
        return False
    return problem.penalty.is_smooth and (problem.size <= DENSE_HESSIAN or not problem.penalty.l2.any())


def least_squares(problem: ScalarProblem, monitor: ConvergenceMonitor, start: Array | None) -> Solution:
    """Coefficients with the least squares, and among those with the least norm."""
    columns = problem.matrix.shape[1]
    u = np.zeros(problem.size) if start is None else start
    if problem.size > DENSE_HESSIAN:
        return replace(_by_lsqr(problem, monitor), how="closed form: squares without a penalty, the least norm by LSQR")
    if not problem.matrix.is_sparse and (points := _by_sums(problem, u, monitor.tol)):
        return replace(monitor.follow(_each(points)), how=f"closed form: squares, and {columns + 1:,} coefficients")
    z = problem.score_buffer()
    first = problem.evaluate(u, z, bounded=False)
    curvature = curvature_at(problem, z)
    solution = monitor.follow(_by_steps(problem, first, z, curvature))
    what = "of the least norm" if curvature.null.size else "independent columns"
    return replace(solution, how=f"closed form: squares, {what}", dependent=dependent(problem, curvature))


def _by_sums(problem: ScalarProblem, u: Array, tol: float) -> list[Iterate]:
    """The start and the minimum, from sums over the rows alone; none, where these do not tell enough."""
    y, s = problem.rows
    mean = (dot(s, y) if s.size > 1 else float(y.mean())) if problem.intercept else 0.0
    # Less their mean, targets far from 0 keep the digits that matter in the sums of squares.
    M = problem.matrix.squares(Rows(y - mean, s), *problem.standardisation)
    H, g, square = M[:-1, :-1], M[:-1, -1], float(M[-1, -1])
    if not problem.intercept:
        H[-1], H[:, -1], g[-1] = 0.0, 0.0, 0.0
        H[-1, -1] = 1.0
    H[np.diag_indices(problem.size)] += problem.curvature_of_penalty
    # Normal equations square the condition number. They are enough where it is small; elsewhere rows are looked at.
    curvature = Curvature(H, None, WELL_CONDITIONED)
    if curvature.factor is None:
        return []
    rounding = square * (SAFETY * SUM_ROUNDINGS * MACHINE_EPS / curvature.factor[1]) ** 2
    shift = np.zeros(problem.size)
    shift[-1] = mean

    def at(u: Array) -> Iterate:
        v = u - shift
        slope = H @ v - g
        value = 0.5 * float(square - g @ v + slope @ v)
        below = max(0.0, 0.5 * float(curvature.step(slope) @ slope)) + rounding
        return Iterate(u, value, slope, value - below, rounding_of_squares(problem, u, value))

    best = at(shift + curvature.step(g))
    return (
        [at(u), best] if best.value > RESIDUAL_SHARE * square and rounding <= ROUNDING_SHARE * tol * best.value else []
    )


def _each(points: list[Iterate]) -> Iterates:
    yield from points
    return "rounding"


def _by_steps(problem: ScalarProblem, point: Iterate, z: Array, curvature: Curvature) -> Iterates:
    """Steps of Newton's method from a point; where columns are nearly alike, until they are all rounding."""
    unit = problem.standardisation[1]
    yield point
    last, exact = np.inf, curvature.factor is not None and curvature.factor[1] > WELL_CONDITIONED
    for number in range(REFINEMENT_STEPS):
        step = curvature.step(point.gradient)
        length = float(np.abs(step).max(initial=0.0))
        # The first step may be rounding for the most part, where next to no penalty is all the curvature along some
        # directions; as the errors are then small, the second, as long, is not.
        if number > 1 and not length < SHORTENING * last:
            break
        point = problem.evaluate(curvature.nearest(point.u - step, unit), z, bounded=False)
        last = length
        if exact:
            yield _bounded(problem, point, z, curvature)
    if not exact:
        yield _bounded(problem, point, z, curvature)
    return "the precision of float64 is used up"


def _bounded(problem: ScalarProblem, point: Iterate, z: Array, curvature: Curvature) -> Iterate:
    """The point with its bound; no squares are less than 0."""
    lower = max(0.0, point.value - decrement(problem, curvature, point, z))
    return point._replace(lower=lower, rounding=rounding_of_squares(problem, point.u, point.value))


def _by_lsqr(problem: ScalarProblem, monitor: ConvergenceMonitor) -> Solution:
    """LSQR from 0, and once more from where it leads, in units of the columns' spread: what more that finds is all that
    is known of the minimum.
    """
    z, points = problem.score_buffer(), [problem.evaluate(np.zeros(problem.size), np.zeros(len(problem.rows.y)), False)]
    for unit in (np.ones(problem.size - 1), problem.standardisation[1]):
        last = points[-1]
        problem.evaluate(last.u, z, False)
        more, shift = _lsqr(problem, problem.rows.y - z, unit)
        u = last.u + np.append(more / problem.standardisation[1], shift)
        points.append(problem.evaluate(u, z, False))
    gain = max(0.0, points[1].value - points[2].value)
    solution = monitor.follow(_each([point._replace(lower=0.0) for point in points]))
    if solution.reason.name == "stalled" and gain <= monitor.tol * solution.value:
        evidence = (f"LSQR, begun anew where it ended, finds {gain:.2g} more, at most {monitor.tol:g} of the loss; an "
                    f"estimate, as {problem.size:,} coefficients are too many for a Hessian")
        return replace(solution, reason=Reason("converged", evidence, solution.reason.step))
    return solution


def _lsqr(problem: ScalarProblem, y: Array, unit: Array) -> tuple[Array, float]:
    """The coefficients that explain y with the least squares, and the least norm in these units; and what to add to the
    intercept beside those of columns about their centre.
    """
    matrix, (s, roots) = problem.matrix, (problem.rows.s, np.sqrt(problem.rows.s))
    share = s if s.size > 1 else np.full(len(y), 1 / len(y))
    centre = problem.standardisation[0]
    rest = (problem.matrix.moments(s)[0] - centre) * problem.intercept
    mean = dot(share, y) * problem.intercept

    def scores(v: Array) -> Array:
        return roots * (matrix.scores(unit * v, 0.0, centre) - float(rest @ (unit * v)))

    def sums(r: Array) -> Array:
        g, total = matrix.sums(roots * r, centre)
        return unit * (g - rest * total)

    away = LinearOperator(matrix.shape, dtype=np.float64, matvec=scores, rmatvec=sums)
    limit = 20 * min(matrix.shape) + 100
    w = unit * lsqr(away, (y - mean) * roots, atol=1e-14, btol=1e-14, conlim=0, iter_lim=limit)[0]
    return w, mean - float(rest @ w)
