"""Learning from rows as they come, each block seen once: `partial_fit`.

With few columns what has been seen is kept as a quadratic function, and each block is added to it by Newton's method:

    u ← argmin ½(u − u₀)ᵀ H (u − u₀) + Σ ℓ(xu, y),  H ← H + Σ ℓ''(xu, y) x xᵀ

For squared losses this is recursive least squares, the same as a fit to all rows at once; for others it is the extended
Kalman filter's step, which loses little. There is no rate to choose. With many columns, where there is no room for H,
each row makes a step of its own, adaptive and bounded: see `_kernels.stream`.

Reference: Ollivier (2018), "Online natural gradient as a Kalman filter"; Ross, Mineiro and Langford (2013), "Normalized
online learning".
"""

from itertools import islice
from typing import Any

import numpy as np
from scipy import sparse

from descend.linear._kernels.losses import CLASSES, SMOOTHED, Loss
from descend.linear._kernels.stream import step_rows
from descend.linear._matrix import Array, Matrix, Rows
from descend.linear._newton import newton
from descend.linear._problem import Point

FEW = 2**10  # columns for which what has been seen is kept as a quadratic function
STEPS = 8  # of Newton's method, at most, for a block
BLOCK = 2**13  # rows of a block


class Stream:
    """A linear model that learns from blocks of rows.

    `l2`: the penalty's weight, by column, beside the sum of all rows' losses. What has been learnt are `coef` and
    `intercept`.
    """

    def __init__(self, loss: Loss, l2: Array, intercept: bool) -> None:
        self.loss, self.intercept_sought = loss, intercept
        self.u = np.zeros(len(l2) + 1)
        self._l2 = l2
        self._learner: Any = None

    @property
    def coef(self) -> Array:
        """The coefficients, in the columns' units."""
        return self.u[:-1]

    @property
    def intercept(self) -> float:
        """The score of a row of zeros."""
        return float(self.u[-1])

    def update(self, X: Any, y: Array, s: Array) -> None:
        """Learn from rows, with targets (−1 and 1 for classes) and weights, one of which may stand for all."""
        if self._learner is None:
            if self.loss.kind in SMOOTHED:
                width = 1.0 if self.loss.kind in CLASSES else 0.5 * float(np.std(y)) or 1.0
                self.loss = self.loss._replace(mu=width)
            learner = _Quadratic if len(self._l2) <= FEW else _RowByRow
            self._learner = learner(self.loss, self._l2, self.intercept_sought)
        for start in range(0, X.shape[0], BLOCK):
            part = slice(start, start + BLOCK)
            self.u = self._learner.learn(self.u, X[part], Rows(y[part], s[part] if s.size > 1 else s))


class _Quadratic:
    """What has been seen, as a quadratic function."""

    def __init__(self, loss: Loss, l2: Array, intercept: bool) -> None:
        self.loss, self.intercept = loss, intercept
        self.hessian = np.diag(np.append(l2, 0.0))

    def learn(self, u: Array, X: Any, rows: Rows) -> Array:
        """The minimum with these rows added."""
        block = _Block(self, u, Matrix(X), rows)
        value = np.inf
        for point in islice(newton(block, u), STEPS):
            u = point.u
            if value - point.value <= 1e-9 * abs(point.value):
                break
            value = point.value
        z = block.scores()
        block.evaluate(u, z)
        self.hessian = block.hessian(z)
        return u


class _Block:
    """A block of rows beside what was seen before, for Newton's method."""

    def __init__(self, before: _Quadratic, u: Array, matrix: Matrix, rows: Rows) -> None:
        self.before, self.start, self.matrix, self.rows = before, u, matrix, rows
        self.size = len(u)

    def scores(self) -> Array:
        return np.zeros(self.matrix.shape[0])

    def evaluate(self, u: Array, z: Array) -> Point:
        sums = self.matrix.sweep(u[:-1], float(u[-1]), self.before.loss, self.rows, z)
        away = u - self.start
        pull = self.before.hessian @ away
        gradient = pull + np.append(sums.g, sums.g_b if self.before.intercept else 0.0)
        return Point(u, sums.value + 0.5 * float(away @ pull), gradient, -np.inf)

    def hessian(self, z: Array) -> Array:
        columns = self.size - 1
        part = self.matrix.hessian(self.before.loss, self.rows, z, np.zeros(columns), np.ones(columns))
        part = np.tril(part) + np.tril(part, -1).T
        if not self.before.intercept:
            part[-1], part[:, -1] = 0.0, 0.0
            part[-1, -1] = 1.0
        return self.before.hessian + part


class _RowByRow:
    """An adaptive step for each row."""

    def __init__(self, loss: Loss, l2: Array, intercept: bool) -> None:
        self.loss, self.l2, self.intercept = loss, l2, intercept
        self.squares, self.greatest = np.zeros(len(l2) + 1), np.zeros(len(l2) + 1)
        self.seen = 0.0

    def learn(self, u: Array, X: Any, rows: Rows) -> Array:
        """The coefficients after a step for each of these rows."""
        X = sparse.csr_array(X)
        w, b = u[:-1].copy(), u[-1:].copy()
        step_rows(X.data, X.indices, X.indptr, *self.loss, *rows, w, b, self.squares, self.greatest, self.intercept)
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(rows.s[0]) * X.shape[0]
        self.seen += weight
        # The penalty's share in these rows, by a step that cannot go beyond 0.
        pull = np.sqrt(self.squares[:-1]) * np.maximum(self.greatest[:-1], 1e-300)
        share = self.l2 * (weight / self.seen)
        w *= pull / (pull + share) if share.any() else 1.0
        return np.append(w, b)
