"""Learning row by row: with many columns, where there is no room for a Hessian, each row makes a step of its own.

It is adaptive, normalised and implicit (see `_kernels.row_by_row`), at several rates side by side: that which lost
least on rows that it had not seen yet is believed. What counts is the mean of its coefficients after each block, the
later the weightier: where rows come in the order of time, the last ones know the last rows best, but not all.

Reference: Shamir and Zhang (2013), "Stochastic gradient descent for non-smooth optimization: convergence results and
optimal averaging schemes"; Ross, Mineiro and Langford (2013), "Normalized online learning"; Karampatziakis and Langford
(2011), "Online importance weight aware updates".
"""

from typing import Any

import numpy as np
from scipy import sparse

from descend.linear._kernels.elementary import LOG_FLOOR
from descend.linear._kernels.row_by_row import step_rows
from descend.linear._losses import Loss
from descend.linear.problems.matrix import NO_OFFSET, Array, Matrix, Rows
from descend.linear.streaming.quadratic import Quadratic

# Those that are tried side by side.
RATES = np.array([0.5, 2.0, 8.0])
# Power of the rows seen by which coefficients count in the mean.
AVERAGING_POWER = 8
# The share of a block's penalties that is taken: shares by what has been seen sum up to more than one.
PENALTY_SHARE = 0.25


class RowByRow:
    """A step for each row, at several rates; targets that are numbers are taken in units of their first spread."""

    def __init__(self, loss: Loss, size: int, intercept: bool, rows: Rows) -> None:
        self.intercept, self.total = intercept, 0.0
        self.w, self.mean, self.squares = (np.zeros((size, RATES.size)) for _ in range(3))
        self.greatest, self.seen, self.lost = np.zeros(size - 1), np.zeros(2), np.zeros(RATES.size)
        numeric = loss.kind.homogeneity > 0
        self.unit = (float(np.std(rows.y)) or float(np.abs(rows.y).max()) or 1.0) if numeric else 1.0
        self.homogeneity = loss.kind.homogeneity

    def learn(self, loss: Loss, u: Array, X: Any, rows: Rows, l2: float, l1: float, linear_term: float,
              offset: Array = NO_OFFSET) -> Array:
        """The coefficients after a step for each of these rows."""
        X, unit = sparse.csr_array(X), self.unit
        loss, kind = loss.in_units(unit), loss.kind
        places = kind.address_of("value"), kind.address_of("slope"), kind.address_of("curvature")
        y = rows.y / unit - (loss.off_centre if kind.corners == 1 and not kind.classes else 0.0)
        before = self.greatest.copy()
        step_rows(X.data, X.indices, X.indptr, places, *loss.parameters, y, rows.s, offset, RATES, self.w,
                  self.squares, self.greatest, self.seen, self.lost, self.intercept)
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(rows.s[0]) * X.shape[0]
        self.total += weight
        share = PENALTY_SHARE * weight / self.total
        self._penalise(
            share * l2 * unit ** (2 - self.homogeneity), share * l1 * unit ** (1 - self.homogeneity), linear_term
        )
        # Learnt with lesser numbers, as w was.
        self.mean[:-1] *= (before / np.maximum(self.greatest, LOG_FLOOR))[:, None]
        self.mean += (1 - (1 - weight / self.total) ** (AVERAGING_POWER + 1)) * (self.w - self.mean)
        best = int(np.argmin(self.lost))
        kept = np.where(self.w[:, best] == 0, 0.0, self.mean[:, best]) if l1 else self.mean[:, best]
        return self.unit * kept

    def continue_from(
        self, before: Quadratic, columns: Array, greatest: Array, seen: float, loss: Loss, u: Array, X: Any, rows: Rows,
        offset: Array
    ) -> None:
        """Go on from u, which was learnt by a quadratic function of some columns.

        The sums of (r x)² are taken from its Hessian, the sum of ℓ'' x², by the ratio that r² and ℓ'' have in these
        rows; of likelihoods it is one.
        """
        matrix, z, curvatures = Matrix(X), np.zeros(X.shape[0]), np.empty(X.shape[0])
        for _ in range(2):
            # Foreseen at the scores before.
            squares = matrix.sweep(u[:-1], float(u[-1]), loss, rows, z, offset=offset).squares
        loss.curvatures(0, len(z), *rows, z, curvatures)
        ratio = squares / (float(curvatures.sum()) or 1.0) / self.unit ** (2 * self.homogeneity - 2)
        self.w[:], self.mean[:], self.greatest[columns] = u[:, None] / self.unit, u[:, None] / self.unit, greatest
        self.squares[np.append(columns, -1)] = ratio * np.diag(before.hessian)[:, None]
        sizes = np.abs(X.data) / np.maximum(self.greatest[X.indices], np.abs(X.data) + (X.data == 0))
        self.total, self.seen[:] = seen, (seen, seen * (self.intercept + float(sizes @ sizes) / X.shape[0]))

    def rescale(self, factor: float) -> None:
        """Slopes do not depend on Huber's scale."""

    def _penalise(self, l2: float, l1: float, linear_term: float) -> None:
        """The penalties' share in a block, by a proximal step: it cannot go beyond 0."""
        pull = np.sqrt(self.squares) / RATES * np.append(self.greatest, 1.0)[:, None]
        pull = np.maximum(pull, 1e-300)
        w = self.w[:-1]
        w[:] = np.sign(w) * np.maximum(np.abs(w) * pull[:-1] - l1, 0.0) / (pull[:-1] + l2)
        self.w[-1] -= linear_term / pull[-1] * self.intercept
