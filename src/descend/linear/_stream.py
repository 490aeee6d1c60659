"""Learning from rows as they come, each block seen once: `partial_fit`.

With few columns what has been seen is kept as a quadratic function Q, and each block is added to it by Newton's method:

    u ← argmin Q(u) + Σ ℓ(xu, y) + Σ l1 |u|,  Q ← Q + the losses' second-order expansion at u

For squared losses this is recursive least squares, the same as a fit to all rows at once; for others it is the extended
Kalman filter's step, which loses little. There is no rate to choose. With many columns, where there is no room for Q,
each row makes a step of its own, adaptive, normalised and implicit (see `_kernels.stream`), at three rates side by
side: that which lost least on rows that it had not seen yet is believed.

Losses that have a width of their own (Huber's scale, the smoothing of corners) take it from the errors on rows that
were not seen yet, and the smoothing vanishes slowly as rows are seen.

Reference: Ollivier (2018), "Online natural gradient as a Kalman filter"; Ross, Mineiro and Langford (2013), "Normalized
online learning"; Karampatziakis and Langford (2011), "Online importance weight aware updates".
"""

from itertools import islice
from typing import Any

import numpy as np
from scipy import sparse

from descend.linear._coordinate import minimised, rise
from descend.linear._kernels.losses import (
    CLASSES,
    HINGE,
    HUBER,
    INSENSITIVE,
    PINBALL,
    POISSON,
    SMOOTHED,
    SQUARED,
    SQUARED_INSENSITIVE,
    Loss,
)
from descend.linear._kernels.stream import step_rows
from descend.linear._matrix import Array, Matrix, Rows
from descend.linear._newton import newton
from descend.linear._problem import Point
from descend.linear._product import scores_of
from descend.linear._scale import best_scale

FEW = 2**10  # columns for which what has been seen is kept as a quadratic function
STEPS = 30  # of Newton's method, at most, for a block
HALVINGS = 30  # of a step, at most
DAMPING = 1e-4  # of the greatest curvature that a smoothed loss can have
BLOCK = 2**13  # rows of a block
RATES = np.array([0.5, 2.0, 8.0])  # of steps row by row
EARLY = 0.25  # of a block's share of the penalties: shares by what has been seen sum up to more than one
LEAST = 1e-9  # of the targets: the scale of no errors at all
ROUNDS = 8  # over the first block, for its width and its coefficients to agree
SHARPER = 0.2  # power of the rows seen by which smoothing decreases
MOST = 0.2  # of the margin, the smoothing of a hinge by which few rows are told from most
MARGIN = 1.5  # the smoothing of a classifier's hinge, whose margin is the unit of scores: 0 has curvature, too


class Stream:
    """A linear model of so many columns that learns from blocks of rows.

    `tilt`: see `Problem`, beside the mean loss; None for a loss of classes that tells two from each other. What has
    been learnt are `coef` and `intercept`.
    """

    def __init__(self, loss: Loss, columns: int, intercept: bool = True, tilt: float | None = None) -> None:
        self.loss, self.with_intercept, self.tilt = loss, intercept, tilt
        self.u = np.zeros(columns + 1)
        self.seen = 0.0
        self.width = 0.0
        self._learner: Any = None

    @property
    def coef(self) -> Array:
        """The coefficients, in the columns' units."""
        return self.u[:-1]

    @property
    def intercept(self) -> float:
        """The score of a row of zeros."""
        return float(self.u[-1])

    def update(self, X: Any, y: Array, s: Array, l2: float = 0.0, l1: float = 0.0) -> None:
        """Learn from rows, with targets (−1 and 1 for classes) and weights, one of which may stand for all.

        `l2`, `l1`: the penalties beside the sum of all rows' losses so far, these included.
        """
        for start in range(0, X.shape[0], BLOCK):
            part = slice(start, start + BLOCK)
            self._learn(X[part], Rows(y[part], s[part] if s.size > 1 else s), l2, l1)

    def _learn(self, X: Any, rows: Rows, l2: float, l1: float) -> None:
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(rows.s[0]) * X.shape[0]
        if weight == 0:
            return
        is_first = self._learner is None
        self.seen += weight
        about = l2, l1, (self.tilt or 0.0) * weight
        if is_first:
            self._learner = self._new_learner(self.loss, rows)
        if self.loss.kind not in (*SMOOTHED, HUBER):
            self.u = self._learner.learn(self.loss, self.u, X, rows, *about)
        elif is_first and isinstance(self._learner, _Quadratic):
            self._agree(X, rows, about)
        else:
            self._go_on(X, rows, about, weight / self.seen)

    def _go_on(self, X: Any, rows: Rows, about: tuple[float, float, float], share: float) -> None:
        """Learn a block with the width of all errors so far, of which the later count more."""
        found = self._width(rows, scores_of(X, self.u[None, :-1], self.intercept)[:, 0])
        before = self.width
        self.width += min(1.0, 2 * share) * (found - before)
        if self.loss.kind == HUBER and self.width > 0:
            self._learner.weigh(before / self.width)  # rows count by the inverse of the scale, also those before
        self.u = self._learner.learn(self._sharpened(), self.u, X, rows, *about)

    def _agree(self, X: Any, rows: Rows, about: tuple[float, float, float]) -> None:
        """Learn the first block anew with the errors' width that its coefficients give."""
        self.width = most = self._width(rows, np.zeros(X.shape[0]))
        for _ in range(ROUNDS):
            self._learner = self._new_learner(self.loss, rows)
            self.u = self._learner.learn(self._sharpened(), self.u, X, rows, *about)
            found = self._width(rows, scores_of(X, self.u[None, :-1], self.intercept)[:, 0])
            free = 1 - self.u.size / X.shape[0]  # the share of the errors that coefficients have not taken up
            found = found / free**0.5 if free > 0.5 else most
            if abs(found - self.width) <= 1e-3 * found:
                break
            self.width = found

    def _width(self, rows: Rows, scores: Array) -> float:
        """The scale of errors for Huber's loss; for others their mean magnitude, of classes that of scores."""
        weights = rows.s if rows.s.size > 1 else np.full(len(scores), 1 / len(scores))
        weights = weights / weights.sum()
        errors = scores if self.loss.kind in CLASSES else scores - rows.y
        if self.loss.kind == HUBER:
            away = errors if self.seen and self.u.any() else errors - np.median(errors)
            return best_scale(away, weights, self.loss.p, LEAST * (float(np.abs(rows.y).max()) or 1.0))
        return float(weights @ np.abs(errors - np.median(errors)))

    def _sharpened(self) -> Loss:
        """The loss with the width that it has by now."""
        if self.loss.kind == HUBER:
            return self.loss._replace(mu=self.width)
        if self.loss.kind in CLASSES and self.tilt is None:
            return self.loss._replace(mu=MARGIN)
        mu = self.width * max(self.seen, 1.0) ** -SHARPER or 1.0
        return self.loss._replace(mu=min(mu, MOST) if self.loss.kind in CLASSES else mu)

    @property
    def _is_centred(self) -> bool:
        """Whether a smoothed corner is to stay where it is: a share of the rows depends on it."""
        return self.loss.kind == PINBALL or (self.loss.kind == HINGE and self.tilt is not None)

    def _new_learner(self, loss: Loss, rows: Rows) -> Any:
        if self.u.size <= FEW + 1:
            return _Quadratic(self.u.size, self.with_intercept, self._is_centred)
        return _RowByRow(loss, self.u.size, self.with_intercept, rows)


class _Quadratic:
    """What has been seen, as a quadratic function: its place, and gradient and Hessian there, in part by penalties."""

    def __init__(self, size: int, intercept: bool, centred: bool) -> None:
        self.intercept, self.centred, self.l2 = intercept, centred, 0.0
        self.hessian, self.gradient = np.zeros((size, size)), np.zeros(size)

    def learn(self, loss: Loss, u: Array, X: Any, rows: Rows, l2: float, l1: float, tilt: float) -> Array:
        """The minimum with these rows added."""
        block = _Block(self, loss, u, Matrix(X), rows, l2 - self.l2, tilt)
        value = np.inf
        for point in islice(_descent(block, u, l1), STEPS):
            u = point.u
            if value - point.value <= 1e-9 * abs(point.value):
                break
            value = point.value
        z = block.scores()
        gradient = block.evaluate(u, z).gradient
        self.hessian, self.gradient, self.l2 = block.curvature(z), gradient, l2
        return u

    def weigh(self, factor: float) -> None:
        """Count all that has been seen by this factor."""
        self.hessian, self.gradient, self.l2 = factor * self.hessian, factor * self.gradient, factor * self.l2


def off_centre(loss: Loss) -> float:
    """How far scores are to be moved for the smoothed loss to be as much to one side of its corner as to the other."""
    return (0.5 - loss.p) * loss.mu if loss.kind == PINBALL else -0.5 * loss.mu


class _Block:
    """A block of rows beside what was seen before, for Newton's method; `l2`, `tilt`: what is added of them."""

    def __init__(self, before: _Quadratic, loss: Loss, u: Array, matrix: Matrix, rows: Rows, l2: float,
                 tilt: float) -> None:
        self.before, self.loss, self.start, self.matrix, self.rows = before, loss, u, matrix, rows
        self.size, self.shift = len(u), off_centre(loss) if before.centred else 0.0
        self.l2 = np.append(np.full(self.size - 1, l2), 0.0)
        self.tilt = np.append(np.zeros(self.size - 1), tilt)
        self.ridge = self._ridge() if loss.kind in SMOOTHED else np.zeros(self.size)

    def scores(self) -> Array:
        return np.zeros(self.matrix.shape[0])

    def evaluate(self, u: Array, z: Array) -> Point:
        sums = self.matrix.sweep(u[:-1], float(u[-1]) + self.shift, self.loss, self.rows, z)
        away = u - self.start
        pull = self.before.hessian @ away
        value = away @ (self.before.gradient + 0.5 * pull) + u @ (0.5 * self.l2 * u + self.tilt)
        gradient = self.before.gradient + pull + self.l2 * u + self.tilt + np.append(sums.g, sums.g_b)
        gradient[-1] *= self.before.intercept
        return Point(u, sums.value + float(value), gradient, -np.inf)

    def _ridge(self) -> Array:
        """A little of the greatest curvature there can be: rows far from a corner have none."""
        share = self.rows.s / (self.rows.s.sum() * (1 if self.rows.s.size > 1 else self.matrix.shape[0]))
        weight = float(self.rows.s[0] / share[0]) if share[0] > 0 else float(self.rows.s.sum())
        mean, variance, _ = self.matrix.moments(share)
        return DAMPING * weight / self.loss.mu * np.append(mean**2 + variance, 1.0)

    def hessian(self, z: Array) -> Array:
        """For a step."""
        return self.curvature(z) + np.diag(self.ridge)

    def curvature(self, z: Array) -> Array:
        """The second derivative."""
        columns = self.size - 1
        part = self.matrix.hessian(self.loss, self.rows, z, np.zeros(columns), np.ones(columns))
        part = np.tril(part) + np.tril(part, -1).T
        if not self.before.intercept:
            part[-1], part[:, -1] = 0.0, 0.0
            part[-1, -1] = 1.0
        part[np.diag_indices(self.size)] += self.l2
        return self.before.hessian + part


def _descent(block: _Block, u: Array, l1: float) -> Any:
    """Points of Newton's method, or with an l1 penalty of the proximal one; the value is with the penalty."""
    if not l1:
        yield from newton(block, u)
        return
    threshold = np.append(np.full(block.size - 1, l1), 0.0)
    z = block.scores()
    point = block.evaluate(u, z)
    while True:
        penalised = point.value + threshold @ np.abs(point.u)
        yield point._replace(value=penalised)
        move = _model_minimum(block.hessian(z), point.gradient, point.u, threshold) - point.u
        promised = rise(point, move, threshold)
        for halving in range(HALVINGS):
            trial = block.evaluate(point.u + move / 2**halving, z)
            value = trial.value + threshold @ np.abs(trial.u)
            if value <= penalised + 1e-4 * promised / 2**halving + 1e-14 * abs(penalised):
                break
        else:
            return
        point = trial


def _model_minimum(hessian: Array, gradient: Array, u: Array, threshold: Array) -> Array:
    """The minimum of a quadratic model with an l1 penalty, in units in which its diagonal is one, intercept first."""
    order = np.roll(np.arange(u.size), 1)
    diagonal = np.diag(hessian)[order]
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = hessian[np.ix_(order, order)] * unit * unit[:, None]
    v = u.copy()
    v[order] = unit * minimised(scaled, gradient[order] * unit, u[order] / unit, threshold[order] * unit, 0.0)
    return v


class _RowByRow:
    """A step for each row, at several rates; targets that are numbers are taken in units of their first spread."""

    def __init__(self, loss: Loss, size: int, intercept: bool, rows: Rows) -> None:
        self.intercept, self.total = intercept, 0.0
        self.w, self.squares = np.zeros((size, RATES.size)), np.zeros((size, RATES.size))
        self.greatest, self.seen, self.lost = np.zeros(size - 1), np.zeros(2), np.zeros(RATES.size)
        numeric = loss.kind not in (*CLASSES, POISSON)
        self.unit = (float(np.std(rows.y)) or float(np.abs(rows.y).max()) or 1.0) if numeric else 1.0
        self.degree = 2 if loss.kind in (SQUARED, SQUARED_INSENSITIVE) else 1

    def learn(self, loss: Loss, u: Array, X: Any, rows: Rows, l2: float, l1: float, tilt: float) -> Array:
        """The coefficients after a step for each of these rows."""
        X, unit = sparse.csr_array(X), self.unit
        loss = loss._replace(mu=loss.mu / unit)
        if loss.kind in (INSENSITIVE, SQUARED_INSENSITIVE):
            loss = loss._replace(p=loss.p / unit)
        y = rows.y / unit - (off_centre(loss) if loss.kind == PINBALL else 0.0)
        step_rows(X.data, X.indices, X.indptr, *loss, y, rows.s, RATES, self.w, self.squares,
                  self.greatest, self.seen, self.lost, self.intercept)
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(rows.s[0]) * X.shape[0]
        self.total += weight
        share = EARLY * weight / self.total
        self._penalise(share * l2 * unit ** (2 - self.degree), share * l1 * unit ** (1 - self.degree), tilt)
        return self.unit * self.w[:, int(np.argmin(self.lost))]

    def weigh(self, factor: float) -> None:
        """Slopes do not depend on Huber's scale."""

    def _penalise(self, l2: float, l1: float, tilt: float) -> None:
        """The penalties' share in a block, by a proximal step: it cannot go beyond 0."""
        pull = np.sqrt(self.squares) / RATES * np.append(self.greatest, 1.0)[:, None]
        pull = np.maximum(pull, 1e-300)
        w = self.w[:-1]
        w[:] = np.sign(w) * np.maximum(np.abs(w) * pull[:-1] - l1, 0.0) / (pull[:-1] + l2)
        self.w[-1] -= tilt / pull[-1] * self.intercept
