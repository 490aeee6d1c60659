"""Working sets of penalties that hold coefficients at 0: which columns are in, their Gram matrix, and their problem."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from descend.linear._kernels import coordinate as kernels
from descend.linear._kernels.threads import each, one_thread_each, parts, total
from descend.linear.problems.matrix import BLOCK_ENTRIES, Array, Matrix
from descend.linear.problems.problem import Iterate, Standardisation
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.problems.subdifferential import Subdifferential

# The least columns of a working set.
SET_COLUMNS = 100
# Of the root of all columns: with these a Gram matrix costs about as much as a pass.
SET_ROOTS = 6.0
# The share of a sparse matrix's numbers up to which columns are copied out, to be gone through alone.
COPIED_SHARE = 0.15


class WorkingSet:
    """The Hessian among the coordinates of a working set, and how that set grows.

    For the squared loss the set only grows, and products of its columns are made once.
    """

    def __init__(self, problem: ScalarProblem) -> None:
        self.problem = problem
        self.is_kept = problem.loss.kind.quadratic
        self.held = np.array([problem.size - 1])
        self.sums = np.zeros((0, 0))

    def select(self, point: Iterate, held: Subdifferential) -> Array:
        """The intercept, coefficients that are not 0, and those whose gradient exceeds the penalty by most."""
        columns = self.problem.size - 1
        on = point.u[:-1] != 0
        within = on.copy()
        within[self.held[1:]] = True
        # Columns whose slope exceeds what holds them at 0 are missing; the greatest excess is the most to be won.
        excess = np.where(within, -np.inf, held.excess(point.gradient)[:-1])
        root, size, missing = columns**0.5, int(within.sum()), int(np.sum(excess > 0))
        if self.is_kept:
            limit = max(int(on.sum()), max(SET_ROOTS * root, SET_COLUMNS) - size, root)
            count = min(int(min(max(missing, root), limit)), columns - size)
        # All products are made anew each time, so that none is to be in vain.
        else:
            count = min(missing, max(int(on.sum()), SET_COLUMNS))
        added = np.argpartition(excess, columns - count)[columns - count :] if count else self.held[:0]
        if not self.is_kept:
            return np.append(self.held, np.sort(np.append(np.flatnonzero(on), added)))
        self.held = np.concatenate([self.held, np.setdiff1d(np.flatnonzero(on), self.held), added])
        return self.held

    @cached_property
    def counts(self) -> Array:
        """How many numbers each column of a sparse matrix holds."""
        return kernels.counts(self.problem.matrix.X.indices, self.problem.size - 1)

    def subproblem(self, chosen: Array) -> ScalarProblem | None:
        """The problem of the chosen columns alone, if these are worth a copy; one without numbers has no part."""
        problem, columns = self.problem, chosen[1:]
        matrix, (centre, unit) = problem.matrix, problem.standardisation
        if self.is_kept or not matrix.is_sparse or self.counts[columns].sum() >= COPIED_SHARE * matrix.entries:
            return None
        return replace(problem, matrix=Matrix(matrix.X[:, columns]), penalty=problem.penalty.of_columns(columns),
                       given_standardisation=Standardisation(centre[columns], unit[columns]))

    def hessian(self, z: Array, chosen: Array) -> Array:
        """The Hessian at these scores among the chosen coordinates, the first of which is the intercept."""
        problem, size = self.problem, chosen.size
        known = len(self.sums) if self.is_kept else 0
        if known < size:
            h = np.empty_like(z)
            problem.at_best_scale(z).loss.curvatures(0, z.size, *problem.rows, z, h)
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
        matrix, (centre, unit) = self.problem.matrix, self.problem.standardisation
        size = columns.size + 1
        few = parts(h.size, min(matrix.entries, 8 * 2**18))
        if matrix.is_sparse:
            place = np.zeros(matrix.shape[1], np.int64)
            place[columns] = np.arange(1, size)
            X = matrix.X
            work = lambda a, b: (kernels.gram(a, b, X.data, X.indices, X.indptr, h, place, unit, size),)
            if size**2 >= matrix.entries:
                # Sums of parts would cost more than the products.
                return work(0, h.size)[0][known:]
            return total(each(work, few))[0][known:]
        roots = np.sqrt(h)

        def product(start: int, stop: int) -> tuple[Array]:
            rows = max(1, BLOCK_ENTRIES // size)
            block, out = np.empty((min(rows, stop - start), size)), np.zeros((size - known, size))
            for first in range(start, stop, rows):
                last = min(first + rows, stop)
                kernels.chosen_rows(first, last, matrix.X, columns, centre, unit, roots, block)
                filled = block[: last - first]
                out += filled[:, known:].T @ filled
            return (out,)

        with one_thread_each():
            return total(each(product, few))[0]
