"""Least squares, without a penalty or with one that is a square too, in closed form.

With few columns one pass gives the sums of squares and products of all columns and of the targets, in which the loss
and its gradient are known everywhere: J = ½ aᵀMa for a = (coefficients, intercept, −1). Its value is that of a sum to
rounding, unless next to nothing of the targets' squares is left over; then passes over the rows give it.

Where that tells too little, and the columns are independent, one step of Newton's method is the minimum, up to
rounding, and a second one removes most of that. Otherwise, of all minima, it is the one whose coefficients have the
least norm, by the singular value decomposition of the centred columns (dense), or by LSQR, which begins at 0 and never
leaves the span of the rows. The loss is a quadratic function, so that a gradient says exactly how far the minimum is
below: ½ ∇Fᵀ (∇²F)⁺ ∇F.

Reference: Paige and Saunders (1982), "LSQR: an algorithm for sparse linear equations and sparse least squares".
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq
from scipy.sparse.linalg import LinearOperator, lsqr

from descend.linear._kernels.losses import SQUARED
from descend.linear._matrix import Array, Rows
from descend.linear._newton import solved
from descend.linear._problem import Point, Problem
from descend.linear._solution import Solution, Steps, Watch
from descend.linear._solve import SMALL

LEFT = 1e-8  # of the targets' squares, from which on the rest is known from their sums to many digits
DISTINCT = 1e-3  # of a column, what is left of it besides the others, where rounding in the sums does not matter
INDEPENDENT = 1e-5  # of a column, what is left of it once the columns before it are taken away


def is_least_squares(problem: Any) -> bool:
    """Whether a problem is one of these."""
    if not (isinstance(problem, Problem) and problem.in_memory and problem.loss.kind == SQUARED):
        return False
    return not (problem.l1.any() or (problem.l2.any() and not _is_summed_up(problem)))


def least_squares(problem: Problem, watch: Watch, start: Array | None) -> Solution:
    """Coefficients with the least squares, and among those with the least norm."""
    count, columns = problem.matrix.shape
    u = np.zeros(problem.size) if start is None else start
    if _is_summed_up(problem) and (points := _by_sums(problem, u)):
        return replace(watch.follow(_each(points)), how=f"closed form: squares, and {columns + 1:,} coefficients")
    if columns <= min(count, SMALL):
        z = problem.scores()
        problem.evaluate(np.zeros(problem.size), z, bounded=False)
        factor = _factor(problem.hessian(z))
        if factor is not None:
            steps = _by_factor(problem, u, factor)
            return replace(watch.follow(steps), how="closed form: squares, independent columns")
    steps = _least_norm(problem)
    return replace(watch.follow(steps), how="closed form: squares without a penalty, the least norm")


def _is_summed_up(problem: Problem) -> bool:
    """Whether a problem has a dense matrix with few columns."""
    count, columns = problem.matrix.shape
    is_even = bool(problem.l2.all() or not problem.l2.any())
    return not problem.matrix.is_sparse and columns <= min(count, SMALL) and is_even


def _by_sums(problem: Problem, u: Array) -> list[Point]:
    """The start and the minimum, from sums over the rows alone; none, where these do not tell enough."""
    y, s = problem.rows
    mean = float(s @ y if s.size > 1 else y.mean()) if problem.intercept else 0.0
    M = problem.matrix.squares(Rows(y - mean, s), *problem.frame)
    H, g = M[:-1, :-1], M[:-1, -1]
    if not problem.intercept:
        H[-1], H[:, -1], g[-1] = 0.0, 0.0, 0.0
        H[-1, -1] = 1.0
    H[np.diag_indices(problem.size)] += problem.curvature_of_penalty
    factor = _factor(H)
    if factor is None or np.diag(factor[0][0]).min() < DISTINCT:
        return []
    cho, scale = factor
    solved = lambda g: cho_solve(cho, g / scale, check_finite=False) / scale
    shift = np.zeros(problem.size)
    shift[-1] = mean

    def at(u: Array) -> Point:
        v = u - shift
        slope = H @ v - g
        value = 0.5 * float(M[-1, -1] - g @ v + slope @ v)
        return Point(u, value, slope, value - max(0.0, 0.5 * float(solved(slope) @ slope)))

    best = at(shift + solved(g))
    return [at(u), best] if best.value > LEFT * M[-1, -1] else []


def _each(points: list[Point]) -> Steps:
    yield from points
    return "rounding"


def _factor(hessian: Array) -> Any:
    """Cholesky's factor of a Hessian with ones on its diagonal, and its scale; None if columns depend on each other."""
    scale = np.sqrt(np.diag(hessian))
    if not scale.all():
        return None
    try:
        factor = cho_factor(hessian / scale / scale[:, None], lower=True, check_finite=False)
    except LinAlgError:
        return None
    return (factor, scale) if np.diag(factor[0]).min() > INDEPENDENT else None


def _by_factor(problem: Problem, u: Array, scaled: Any) -> Steps:
    factor, scale = scaled
    z = problem.scores()
    for _ in range(3):
        point = problem.evaluate(u, z, bounded=False)
        step = cho_solve(factor, point.gradient / scale, check_finite=False) / scale
        yield point._replace(lower=point.value - max(0.0, 0.5 * float(step @ point.gradient)))
        u = u - step
    return "rounding"


def _least_norm(problem: Problem) -> Steps:
    z = problem.scores()
    yield problem.evaluate(np.zeros(problem.size), z, bounded=False)
    w, b = _of_sparse(problem) if problem.matrix.is_sparse else _of_dense(problem)
    point: Point = problem.evaluate(problem.from_user(w, b), z, bounded=False)
    if problem.size <= SMALL:
        below = 0.5 * float(solved(problem.hessian(z), point.gradient) @ point.gradient)
        point = point._replace(lower=point.value - max(below, 0.0))
    elif np.linalg.norm(point.gradient) <= 1e-9 * np.sqrt(max(point.value, 1e-300)):
        point = point._replace(lower=point.value)
    yield point
    return "rounding"


def _of_dense(problem: Problem) -> tuple[Array, float]:
    X, y, roots = problem.matrix.X, problem.rows.y, np.sqrt(problem.rows.s)
    share = problem.rows.s if problem.rows.s.size > 1 else np.full(len(y), 1 / len(y))
    centre = problem.frame[0]
    mean = float(share @ y) if problem.intercept else 0.0
    away = (X - centre) * roots[:, None]
    w = lstsq(away, (y - mean) * roots, cond=max(X.shape) * np.finfo(X.dtype).eps, check_finite=False)[0]
    return w, mean - float(centre @ w)


def _of_sparse(problem: Problem) -> tuple[Array, float]:
    X, y, roots = problem.matrix.X, problem.rows.y, np.sqrt(problem.rows.s)
    share = problem.rows.s if problem.rows.s.size > 1 else np.full(len(y), 1 / len(y))
    means = X.T @ share if problem.intercept else np.zeros(X.shape[1])
    mean = float(share @ y) if problem.intercept else 0.0
    away = LinearOperator(X.shape, dtype=np.float64, matvec=lambda w: roots * (X @ w - means @ w),
                          rmatvec=lambda r: X.T @ (roots * r) - means * float(np.sum(roots * r)))
    w = lsqr(away, (y - mean) * roots, atol=1e-14, btol=1e-14, conlim=0, iter_lim=20 * min(X.shape) + 100)[0]
    return w, mean - float(means @ w)
