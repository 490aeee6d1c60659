"""Least squares without a penalty, in closed form.

Where the columns are independent one step of Newton's method is the minimum, up to rounding, and a second one removes
most of that. Otherwise, of all minima, it is the one whose coefficients have the least norm, by the singular value
decomposition of the centred columns (dense), or by LSQR, which begins at 0 and never leaves the span of the rows.
The loss is a quadratic function, so that a gradient says exactly how far the minimum is below: ½ ∇Fᵀ (∇²F)⁺ ∇F.

Reference: Paige and Saunders (1982), "LSQR: an algorithm for sparse linear equations and sparse least squares".
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq
from scipy.sparse.linalg import LinearOperator, lsqr

from descend.linear._kernels.losses import SQUARED
from descend.linear._matrix import Array
from descend.linear._newton import solved
from descend.linear._problem import Point, Problem
from descend.linear._solution import Solution, Steps, Watch
from descend.linear._solve import SMALL

INDEPENDENT = 1e-5  # of a column, what is left of it once the columns before it are taken away


def is_least_squares(problem: Any) -> bool:
    """Whether a problem is one of these."""
    return (isinstance(problem, Problem) and problem.in_memory and problem.loss.kind == SQUARED
            and not (problem.l2.any() or problem.l1.any()))


def least_squares(problem: Problem, watch: Watch, start: Array | None) -> Solution:
    """Coefficients with the least squares, and among those with the least norm."""
    count, columns = problem.matrix.shape
    if columns <= min(count, SMALL):
        z = problem.scores()
        problem.evaluate(np.zeros(problem.size), z)
        hessian = problem.hessian(z)
        factor = _factor(hessian)
        if factor is not None:
            steps = _by_factor(problem, np.zeros(problem.size) if start is None else start, factor)
            return replace(watch.follow(steps), how="closed form: squares without a penalty, independent columns")
    steps = _least_norm(problem)
    return replace(watch.follow(steps), how="closed form: squares without a penalty, the least norm")


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
        point = problem.evaluate(u, z)
        step = cho_solve(factor, point.gradient / scale, check_finite=False) / scale
        yield point._replace(lower=point.value - max(0.0, 0.5 * float(step @ point.gradient)))
        u = u - step
    return "rounding"


def _least_norm(problem: Problem) -> Steps:
    z = problem.scores()
    yield problem.evaluate(np.zeros(problem.size), z)
    w, b = _of_sparse(problem) if problem.matrix.is_sparse else _of_dense(problem)
    point: Point = problem.evaluate(problem.from_user(w, b), z)
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
