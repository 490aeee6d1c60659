"""Coordinate descent for an l1 penalty: on the few columns that matter, and on their Gram matrix.

Most coefficients of a minimum are 0. So a working set of columns is kept, those whose gradient exceeds the penalty by
most among them, and on these the quadratic model of the problem is minimised,

    v ← argmin  gᵀ(v − u) + ½ (v − u)ᵀ H (v − u) + Σ l1 |v|,

which is the problem itself for the squared loss, and a step of Newton's proximal method, with a line search, for
others. One pass over all columns then gives the gradient, the columns that are missing, and the gap.

The model is minimised by cyclic coordinate descent, and exactly: where that is slow, as with columns that are much
alike, a Newton step follows among the coefficients that are not 0, their signs kept.

Reference: Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via coordinate
descent"; Massias, Gramfort and Salmon (2018), "Celer: a fast solver for the lasso with dual extrapolation"; Lee, Sun
and Saunders (2014), "Proximal Newton-type methods for minimizing composite functions".
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from descend.linear._kernels import coordinate as kernels
from descend.linear._kernels.judging import curvatures
from descend.linear._kernels.intercept import best_shift
from descend.linear._kernels.losses import SQUARED
from descend.linear._matrix import BLOCK, Array
from descend.linear._newton import ENOUGH, ROUNDING, SHORTEST
from descend.linear._problem import Point, Problem
from descend.linear._solution import Steps
from descend.linear._threads import each, one_thread_each, parts, total

LEAST = 100  # columns of a working set
SHARE = 4.0  # of the root of all columns: with these a Gram matrix costs about as much as a pass
STILL = 1e-24  # of the curvature of a column of unit spread: a column that is constant but for rounding
CYCLES = 30  # of coordinate descent, before a Newton step
ROUNDS = 30  # of both
FORCING = 1e-2  # of how far a model's minimum is: so near it is found at least
ROUNDED = 1e-15  # of the numbers that a gradient is a sum of
JITTER = 1e-12  # of the diagonal: it keeps the Hessian of columns that are much alike positive


def coordinate(problem: Problem, u: Array) -> Steps:
    """Descend from u."""
    z, threshold = problem.scores(), problem.threshold
    point = started(problem, u, z)
    yield point
    gram = Gram(problem)
    forcing = 0.0 if gram.is_kept else FORCING
    while True:
        chosen = gram.working_set(point, threshold)
        hessian = gram.at(z, chosen)
        move = np.zeros_like(point.u)
        model = point.gradient[chosen], point.u[chosen], threshold[chosen]
        move[chosen] = minimised(hessian, *model, forcing) - point.u[chosen]
        step, promised = 1.0, rise(point, move, threshold)
        if not promised < 0:
            return "the conditions of optimality hold but for rounding"
        trial = problem.evaluate(point.u + move, z)
        while not trial.value <= point.value + ENOUGH * step * promised + ROUNDING * abs(point.value):
            step /= 4
            if step < SHORTEST:
                return "no step towards the minimum of a quadratic model decreases the loss"
            trial = problem.evaluate(point.u + step * move, z)
        yield trial
        if trial.value >= point.value and trial.lower <= point.lower:
            return "the loss does not decrease any more"
        point = trial


def started(problem: Problem, u: Array, z: Array) -> Point:
    """The first point, certified: with the best intercept."""
    if u[:-1].any():
        return problem.certified(problem.evaluate(u, z), z)
    u = u.copy()
    if problem.intercept:
        u[-1] = best_shift(*problem.at(z).loss, *problem.rows, z, problem.tilt)
        z += u[-1]
    return problem.evaluate(u, z)


def rise(point: Point, move: Array, threshold: Array) -> float:
    """What a linear model of all but the penalty expects of a move."""
    return float(point.gradient @ move + threshold @ (np.abs(point.u + move) - np.abs(point.u)))


class Gram:
    """The Hessian among the coordinates of a working set, and how that set grows.

    For the squared loss the set only grows, and products of its columns are made once.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.is_kept = problem.loss.kind == SQUARED
        self.held = np.array([problem.size - 1])
        self.sums = np.zeros((0, 0))

    def working_set(self, point: Point, threshold: Array) -> Array:
        """The intercept, coefficients that are not 0, and those whose gradient exceeds the penalty by most."""
        columns = self.problem.size - 1
        on = point.u[:-1] != 0
        within = on.copy()
        within[self.held[1:]] = True
        excess = np.where(within, -np.inf, (np.abs(point.gradient) - threshold)[:-1])
        root, size = columns**0.5, int(within.sum())
        limit = max(int(on.sum()), max(SHARE * root, LEAST) - size, root)
        count = min(int(min(max(np.sum(excess > 0), root), limit)), columns - size)
        added = np.argpartition(excess, columns - count)[columns - count :] if count else self.held[:0]
        chosen = np.concatenate([self.held, np.setdiff1d(np.flatnonzero(on), self.held), added])
        if self.is_kept:
            self.held = chosen
        return chosen

    def at(self, z: Array, chosen: Array) -> Array:
        """The Hessian at these scores among the chosen coordinates, the first of which is the intercept."""
        problem, size = self.problem, chosen.size
        known = len(self.sums) if self.is_kept else 0
        if known < size:
            h = np.empty_like(z)
            curvatures(0, z.size, *problem.at(z).loss, *problem.rows, z, h)
            new, old = self._products(h, chosen[1:], known), self.sums
            self.sums = np.empty((size, size))
            self.sums[:known, :known] = old[:known, :known]
            self.sums[known:], self.sums[:, known:] = new, new.T
        hessian = self.sums.copy()
        if not problem.intercept:
            hessian[0], hessian[:, 0] = 0.0, 0.0
            hessian[0, 0] = 1.0
        hessian[np.diag_indices(size)] += problem.curvature_of_penalty[chosen]
        return hessian

    def _products(self, h: Array, columns: Array, known: int) -> Array:
        """Σ h x̃ x̃ᵀ for rows from `known` on, with x̃ = (1, the columns centred and in units)."""
        matrix, (centre, unit) = self.problem.matrix, self.problem.frame
        size = columns.size + 1
        few = parts(h.size, min(matrix.numbers, 8 * 2**18))
        if matrix.is_sparse:
            place = np.zeros(matrix.shape[1], np.int64)
            place[columns] = np.arange(1, size)
            X = matrix.X
            work = lambda a, b: (kernels.gram(a, b, X.data, X.indices, X.indptr, h, place, unit, size),)
            if size**2 >= matrix.numbers:
                return work(0, h.size)[0][known:]  # sums of parts would cost more than the products
            return total(each(work, few))[0][known:]
        roots = np.sqrt(h)

        def product(start: int, stop: int) -> tuple[Array]:
            rows = max(1, BLOCK // size)
            block, out = np.empty((min(rows, stop - start), size)), np.zeros((size - known, size))
            for first in range(start, stop, rows):
                last = min(first + rows, stop)
                kernels.chosen_rows(first, last, matrix.X, columns, centre, unit, roots, block)
                filled = block[: last - first]
                out += filled[:, known:].T @ filled
            return (out,)

        with one_thread_each():
            return total(each(product, few))[0]


def minimised(H: Array, g: Array, u: Array, threshold: Array, forcing: float) -> Array:
    """The minimum of gᵀ(v − u) + ½ (v − u)ᵀH(v − u) + Σ threshold |v|, from v = u, to rounding.

    Where the model is one of Newton's method, only to a share of how far off it begins, at most `forcing`: so much
    of what is found will hold.
    """
    v, g = u.copy(), g.copy()
    diagonal = np.diag(H)
    scale = float(np.abs(g).max() + threshold.max())
    still, enough = STILL * float(diagonal[0]), ROUNDED * scale
    noise = 1e-10 * (scale + float((diagonal * np.abs(v)).max()))
    first = last = kernels.descend(H, g, v, threshold, still, 1, enough)
    enough = max(enough, first * min(forcing, first / scale) if forcing else 0.0)
    with one_thread_each():
        for number in range(ROUNDS):
            moved = kernels.descend(H, g, v, threshold, still, CYCLES, enough)
            if moved <= enough or (moved >= 0.5 * last and moved <= noise):
                break
            last = moved
            for _ in range(1 + number):
                if not along_signs(H, g, v, threshold):
                    break
    return v


def along_signs(H: Array, g: Array, v: Array, threshold: Array) -> bool:
    """A Newton step among the coordinates that are not 0, in place; whether one of them became 0 on the way.

    It goes as far as the first that would change its sign, or on, with all that would at 0, if that is better.
    """
    on = np.flatnonzero((v != 0) | (threshold == 0))
    signs = np.sign(v[on]) * threshold[on]
    among, slope = H[np.ix_(on, on)], g[on] + signs
    direction = -_solved(among, slope)
    bend = float(direction @ among @ direction)
    if not bend > 0:
        return False
    full = min(-float(slope @ direction) / bend, 1e300) * direction
    crossing = (v[on] * (v[on] + full) < 0) & (threshold[on] > 0)
    moves = [np.where(crossing, -v[on], full)]
    if crossing.any():
        shares = np.where(crossing, -v[on] / np.where(crossing, full, 1.0), np.inf)
        moves.append(np.where(shares == shares.min(), -v[on], shares.min() * full))
    decreases = [float(slope @ move + 0.5 * move @ among @ move) for move in moves]
    best = int(np.argmin(decreases))
    if not decreases[best] < 0:
        return False
    v[on] += moves[best]
    g += H[:, on] @ moves[best]
    return bool(crossing.any())


def _solved(H: Array, g: Array) -> Array:
    """H⁻¹g, of an H that may be singular but for rounding."""
    scale = 1 / np.sqrt(np.maximum(np.diag(H), np.finfo(float).tiny))
    scaled = H * scale * scale[:, None]
    scaled[np.diag_indices(len(H))] += JITTER * len(H)
    factor = cho_factor(scaled, lower=True, overwrite_a=True, check_finite=False)
    return scale * cho_solve(factor, scale * g, check_finite=False)
