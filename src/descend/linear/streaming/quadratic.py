"""What has been seen as a quadratic function, to which each block of rows is added by Newton's method.

    u ← argmin Q(u) + Σ ℓ(xu, y) + Σ l1 |u|,  Q ← Q + the losses' second-order expansion at u

Where the loss is smooth, a step that promised little is the last: what it leaves over remains in Q's gradient.

Reference: Ollivier (2018), "Online natural gradient as a Kalman filter".
"""

from itertools import islice
from typing import Any

import numpy as np
from scipy.linalg.blas import dsymv

from descend.linear._losses import Loss
from descend.linear.problems.matrix import NO_OFFSET, Array, Matrix, Rows
from descend.linear.problems.problem import Iterate
from descend.linear.problems.subdifferential import Subdifferential
from descend.linear.solvers.coordinate import predicted_change, quadratic_model_minimum
from descend.linear.solvers.newton import newton

# At most so many for a block.
NEWTON_STEPS = 30
# At most so many of a step.
HALVINGS = 30
# The share, for a ridge, of the greatest curvature that a smoothed loss can have.
DAMPING = 1e-4
# A decrease, relative to the value, after which there are no more steps.
LAST_DECREASE = 1e-9
# The same of losses for which the next is about its square.
LAST_DECREASE_OF_NEWTON = 1e-2


class Quadratic:
    """What has been seen: the quadratic function's gradient and Hessian (its lower triangle), in part by penalties."""

    def __init__(self, size: int, intercept: bool, centred: bool) -> None:
        self.intercept, self.centred, self.l2 = intercept, centred, 0.0
        self.hessian, self.gradient = np.zeros((size, size)), np.zeros(size)
        # For those of steps.
        self.room = np.empty_like(self.hessian)

    def grow(self, size: int) -> None:
        """Make room for columns of which nothing was seen; the intercept remains the last."""
        grown, old = Quadratic(size, self.intercept, self.centred), self.gradient.size - 1
        grown.hessian[:old, :old], grown.gradient[:old] = self.hessian[:-1, :-1], self.gradient[:-1]
        grown.hessian[-1, :old], grown.hessian[-1, -1] = self.hessian[-1, :-1], self.hessian[-1, -1]
        grown.gradient[-1] = self.gradient[-1]
        grown.hessian.flat[old * (size + 1) : -1 : size + 1] = self.l2
        self.hessian, self.gradient, self.room = grown.hessian, grown.gradient, grown.room

    def learn(self, loss: Loss, u: Array, X: Any, rows: Rows, l2: float, l1: float, linear_term: float,
              offset: Array = NO_OFFSET) -> Array:
        """The minimum with these rows added."""
        block = _Block(self, loss, u, Matrix(X), rows, l2 - self.l2, linear_term, offset)
        value, near = (
            np.inf,
            1.0 if loss.kind.quadratic else LAST_DECREASE_OF_NEWTON if loss.kind.strictly_convex else LAST_DECREASE,
        )
        for point in islice(_descent(block, u, l1), NEWTON_STEPS):
            u = point.u
            if value - point.value <= near * abs(point.value):
                break
            value = point.value
        # The expansion is at u, where the next block begins: what Newton's steps left over stays in the gradient.
        self.gradient, self.l2 = block.gradient_at(u), l2
        block.add_curvature(self.hessian)
        return u

    def rescale(self, factor: float) -> None:
        """Count all that has been seen by this factor."""
        self.hessian, self.gradient, self.l2 = factor * self.hessian, factor * self.gradient, factor * self.l2


class _Block:
    """A block of rows beside what was seen before, for Newton's method; `l2`, `linear_term`: what is added of them."""

    def __init__(self, before: Quadratic, loss: Loss, u: Array, matrix: Matrix, rows: Rows, l2: float,
                 linear_term: float, offset: Array) -> None:
        self.before, self.loss, self.start, self.matrix, self.rows = before, loss, u, matrix, rows
        self.size, self.shift = len(u), loss.off_centre if before.centred else 0.0
        self.l2 = np.append(np.full(self.size - 1, l2), 0.0)
        self.linear_term = np.append(np.zeros(self.size - 1), linear_term)
        self._scores, self.offset = np.zeros(matrix.shape[0]), offset
        self.ridge = self._ridge() if loss.kind.corners else np.zeros(self.size)

    def score_buffer(self) -> Array:
        return self._scores

    # For the rows before there is no bound.
    def evaluate(self, u: Array, z: Array, bounded: bool = False) -> Iterate:
        b = float(u[-1]) + self.shift
        sums = self.matrix.sweep(u[:-1], b, self.loss, self.rows, z, with_dual=False, offset=self.offset)
        away = u - self.start
        pull = dsymv(1.0, self.before.hessian.T, away)
        value = away @ (self.before.gradient + 0.5 * pull) + u @ (0.5 * self.l2 * u + self.linear_term)
        gradient = self.before.gradient + pull + self.l2 * u + self.linear_term + np.append(sums.g, sums.g_b)
        gradient[-1] *= self.before.intercept
        self._last = Iterate(u, sums.value + float(value), gradient, -np.inf)
        return self._last

    def gradient_at(self, u: Array) -> Array:
        """Where the scores are those of u; mostly they are."""
        return (self._last if self._last.u is u else self.evaluate(u, self._scores)).gradient

    def _ridge(self) -> Array:
        """A little of the greatest curvature there can be: rows far from a corner have none."""
        share = self.rows.s / (self.rows.s.sum() * (1 if self.rows.s.size > 1 else self.matrix.shape[0]))
        weight = float(self.rows.s[0] / share[0]) if share[0] > 0 else float(self.rows.s.sum())
        mean, variance, _ = self.matrix.moments(share)
        return DAMPING * weight / self.loss.mu * np.append(mean**2 + variance, 1.0)

    def hessian(self, z: Array) -> Array:
        """For a step."""
        out = self.before.room
        np.copyto(out, self.before.hessian)
        self.add_curvature(out)
        if not self.before.intercept:
            out[-1, -1] = 1.0
        if self.ridge.any():
            out.flat[:: self.size + 1] += self.ridge
        return out

    def hessian_root(self, z: Array, V: Array) -> None:
        """The rows that were seen before are gone."""

    def add_curvature(self, out: Array) -> None:
        """Add the second derivative of what is new, at the last scores, to a lower triangle."""
        self.matrix.add_hessian(self.loss, self.rows, self._scores, out)
        if not self.before.intercept:
            out[-1] = 0.0
        out.flat[: -1 : self.size + 1] += self.l2[:-1]


def _descent(block: _Block, u: Array, l1: float) -> Any:
    """Points of Newton's method, or with an l1 penalty of the proximal one; the value is with the penalty."""
    if not l1:
        yield from newton(block, u)
        return
    threshold = np.append(np.full(block.size - 1, l1), 0.0)
    z = block.score_buffer()
    point = block.evaluate(u, z)
    while True:
        penalised = point.value + threshold @ np.abs(point.u)
        yield point._replace(value=penalised)
        move = _model_minimum(block.hessian(z), point.gradient, point.u, threshold) - point.u
        promised = predicted_change(point, move, threshold)
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
    hessian = np.tril(hessian) + np.tril(hessian, -1).T
    diagonal = np.diag(hessian)[order]
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = hessian[np.ix_(order, order)] * unit * unit[:, None]
    v = u.copy()
    by = threshold[order] * unit
    v[order] = unit * quadratic_model_minimum(
        scaled, gradient[order] * unit, u[order] / unit, Subdifferential(-by, by), 0.0
    )
    return v


