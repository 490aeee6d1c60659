"""Minima of linear models in extended precision, by Newton's method: slow, for a few rows and columns.

Losses with corners are made smooth, and ever less so; what is given is the value of the loss itself. A reference need
not be the minimum to prove a bound wrong: each value is one that some model has.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

Long = np.longdouble
DEPENDENT = Long(1e-12)  # of a column's spread: what is left of it beside the others is rounding in the table
SMOOTHINGS = [Long(10) ** -k for k in range(1, 12)]


def bent(x: Any, mu: Any) -> tuple[Any, Any, Any]:
    """max(0, x), or mu log(1 + exp(x/mu)), with first and second derivative."""
    if not mu:
        return np.maximum(x, 0), (x > 0) * Long(1), 0 * x
    e = np.exp(-np.abs(x) / mu)
    share = np.where(x > 0, 1, e) / (1 + e)
    return np.maximum(x, 0) + mu * np.log1p(e), share, e / (1 + e) ** 2 / mu


def squared(z: Any, y: Any, _mu: Any) -> tuple[Any, Any, Any]:
    return (z - y) ** 2 / 2, z - y, 0 * z + 1


def logistic(z: Any, y: Any, _mu: Any) -> tuple[Any, Any, Any]:
    value, first, second = bent(-y * z, Long(1))
    return value, -y * first, second


def poisson(z: Any, y: Any, _mu: Any) -> tuple[Any, Any, Any]:
    rate = np.exp(np.minimum(z, 1000))
    return rate - y * z + np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y, rate - y, rate


def tweedie(power: float) -> Callable[..., tuple[Any, Any, Any]]:
    """Of positive targets, of a power above 1 and at most 2."""
    q, rest = 2 - Long(power), Long(power) - 1

    def loss(z: Any, y: Any, _mu: Any) -> tuple[Any, Any, Any]:
        u = np.clip(z - np.log(y), -5000, 5000)
        up, down, unit = np.exp(q * u), np.exp(-rest * u), y**q
        value = (np.expm1(q * u) / q if q else u) + np.expm1(-rest * u) / rest
        return unit * value, unit * (up - down), unit * (q * up + rest * down)

    return loss


def hinge(z: Any, y: Any, mu: Any) -> tuple[Any, Any, Any]:
    value, first, second = bent(1 - y * z, mu)
    return value, -y * first, second


def squared_hinge(z: Any, y: Any, _mu: Any) -> tuple[Any, Any, Any]:
    rest = np.maximum(1 - y * z, 0)
    return rest**2, -2 * y * rest, 2 * (rest > 0)


def pinball(share: float) -> Callable[..., tuple[Any, Any, Any]]:
    def loss(z: Any, y: Any, mu: Any) -> tuple[Any, Any, Any]:
        (a, b, c), (d, e, f) = bent(y - z, mu), bent(z - y, mu)
        return share * a + (1 - share) * d, -share * b + (1 - share) * e, share * c + (1 - share) * f

    return loss


def insensitive(width: float, power: int) -> Callable[..., tuple[Any, Any, Any]]:
    def loss(z: Any, y: Any, mu: Any) -> tuple[Any, Any, Any]:
        (a, b, c), (d, e, f) = bent(z - y - width, mu), bent(y - z - width, mu)
        if power == 1:
            return a + d, b - e, c + f
        rest = np.maximum(np.abs(z - y) - width, 0)
        return rest**2, 2 * np.sign(z - y) * rest, 2 * (rest > 0)

    return loss


insensitive_width = insensitive(0.1, 1)
tube = insensitive(0.1, 2)
quarter = pinball(0.25)
CORNERED = (hinge, insensitive_width, quarter)


def solved(A: Any, b: Any) -> Any:
    """A⁻¹b by elimination, of a symmetric positive matrix whose diagonal is made one, with a trace added to it."""
    scale = 1 / np.sqrt(np.where(np.diag(A) > 0, np.diag(A), 1))
    rows = np.column_stack([A * scale * scale[:, None] + Long(1e-18) * np.eye(len(b)), b * scale])
    for i in range(len(b)):
        rows[i] = rows[i] / rows[i, i]
        others = np.arange(len(b)) != i
        rows[others] -= rows[others, i : i + 1] * rows[i]
    return rows[:, -1] * scale


def descended(function: Callable[[Any, Any], tuple[Any, Any, Any]], u: Any, mu: Any, steps: int) -> Any:
    """Newton's method with halved steps, and a growing multiple of the diagonal where these fail."""
    value, gradient, hessian = function(u, mu)
    for _ in range(steps):
        step, size = -solved(hessian, gradient), Long(1)
        while size > 1e-9:
            trial = function(u + size * step, mu)
            if trial[0] < value:
                break
            size /= 4
        else:
            return u
        gain, u = value - trial[0], u + size * step
        value, gradient, hessian = trial
        if gain <= 1e-17 * abs(value):
            break
    return u


def standing(X: Any, intercept: bool, mix: bool) -> tuple[Any, Any]:
    """Columns centred and of unit spread, and the coefficients of the user's that one of theirs stands for; `mix`: made
    orthogonal, without those that depend on others.
    """
    away = np.asarray(X, Long) - X.mean(axis=0, dtype=np.float64) if intercept else np.asarray(X, Long)
    spread = np.sqrt((away**2).mean(axis=0))
    kept = np.flatnonzero(spread > Long(1e-13) * np.abs(X).max(axis=0, initial=0))
    away, T = away[:, kept] / spread[kept], np.zeros((X.shape[1], kept.size), Long)
    T[kept, np.arange(kept.size)] = 1 / spread[kept]
    if not mix:
        return away, T
    Q: list[Any] = []
    turns: list[Any] = []
    for j in range(away.shape[1]):
        q, t = away[:, j].copy(), T[:, j].copy()
        for _ in range(2):
            for p, of in zip(Q, turns, strict=True):
                share = (p * q).mean()
                q, t = q - share * p, t - share * of
        left = np.sqrt((q**2).mean())
        if left > DEPENDENT:
            Q.append(q / left)
            turns.append(t / left)
    return np.column_stack(Q) if Q else away[:, :0], np.column_stack(turns) if turns else T[:, :0]


def exactly(parts: Any, others: Any, more: float) -> Any:
    """Σ of products, and one number more, without rounding before the end."""
    total = sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(parts, others, strict=True)),
                Fraction(float(more)))
    return Long(float(total)) + Long(float(total - Fraction(float(total))))


class Model:
    """A loss of scores with penalties: Σ s ℓ(Xw + b, y) + Σ l2 w²/2 + l1 |w|, of rows that weigh the same."""

    def __init__(self, X: Any, y: Any, loss: Any, l2: float, l1: float, intercept: bool) -> None:
        self.centre = X.mean(axis=0, dtype=np.float64)
        self.away = np.asarray(X, Long) - self.centre  # from numbers far from 0 little is left in any precision
        self.y, self.loss = np.asarray(y, Long), loss
        self.l2, self.l1, self.intercept = Long(l2), Long(l1), intercept
        self.Z, self.T = standing(X, intercept, not (l2 or l1))
        self.A = np.column_stack([self.Z, np.full(len(self.Z), Long(intercept))])
        self.smoothings = SMOOTHINGS if l1 or loss in CORNERED else [Long(0)]

    @property
    def bend(self) -> Any:
        """The greatest curvature of a row's loss at a score that matters, for what rounding of scores may cost."""
        return max(Long(2), np.abs(self.y).max()) if self.loss is poisson else Long(2)

    def value(self, w: Any, b: Any) -> Any:
        """The objective of a model."""
        w, z = np.asarray(w, Long), self.scores(w, b)
        return self.loss(z, self.y, Long(0))[0].mean() + (self.l2 * w**2 / 2 + self.l1 * np.abs(w)).sum()

    def scores(self, w: Any, b: Any) -> Any:
        """Of all rows."""
        return (self.away * np.asarray(w, Long)).sum(axis=1) + exactly(self.centre, w, b)

    def penalties(self, v: Any, mu: Any) -> tuple[Any, Any, Any]:
        """Their value, and their derivatives by coefficient."""
        (up, a, c), (down, d, f) = bent(v, mu), bent(-v, mu)
        return ((self.l2 * v**2 / 2 + self.l1 * (up + down)).sum(), self.l2 * v + self.l1 * (a - d),
                self.l2 + self.l1 * (c + f))

    def function(self, u: Any, mu: Any) -> tuple[Any, Any, Any]:
        """Value, gradient and Hessian."""
        losses, first, second = self.loss(self.A @ u, self.y, mu)
        value, slope, bend = self.penalties(self.T @ u[:-1], mu)
        gradient, hessian = self.A.T @ first / len(self.A), (self.A * second[:, None]).T @ self.A / len(self.A)
        gradient[:-1] += self.T.T @ slope
        hessian[:-1, :-1] += (self.T * bend[:, None]).T @ self.T
        return losses.mean() + value, gradient, hessian

    def starts(self, w: Any, b: Any) -> list[Any]:
        """0, and a model, where coordinates are coefficients."""
        zero = np.zeros(self.A.shape[1], Long)
        if not (self.l2 or self.l1):
            return [zero]
        w, ours = np.asarray(w, Long), zero.copy()
        ours[:-1] = w[np.abs(self.T).argmax(axis=0)] / self.T.max(axis=0)
        ours[-1] = exactly(self.centre, w, b) * self.intercept
        return [zero, ours]

    def least(self, w: Any, b: Any) -> Any:
        """The least value that was found, from 0 and from a model."""
        found = []
        with np.errstate(all="ignore"):  # steps that go too far are halved
            for start in self.starts(w, b):
                at = start
                for mu in self.smoothings:
                    at = descended(self.function, at, mu, 60)
                    found.append(self.function(at, Long(0))[0])
        return min(found)


class Huber(Model):
    """Huber's loss with its scale, the last coordinate: Σ s (σ + σ H(e/σ)) + Σ l2 w²/2."""

    def __init__(self, X: Any, y: Any, p: float, l2: float, intercept: bool) -> None:
        super().__init__(X, y, squared, l2, 0.0, intercept)
        self.p = Long(p)

    def value(self, w: Any, b: Any) -> Any:
        """At the best scale, which is found by dividing an interval."""
        w = np.asarray(w, Long)
        e = self.y - self.scores(w, b)
        low, high = Long(0), np.sqrt((e**2).mean()) + Long(1e-300)
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if (np.minimum(np.abs(e) / middle, self.p) ** 2).mean() > 1 else (low, middle)
        return self._losses(e, high)[0].mean() + (self.l2 * w**2 / 2).sum()

    def _losses(self, e: Any, scale: Any) -> tuple[Any, Any]:
        within = np.abs(e) <= self.p * scale
        return np.where(within, scale + e**2 / scale, scale + 2 * self.p * np.abs(e) - self.p**2 * scale), within

    def function(self, u: Any, mu: Any) -> tuple[Any, Any, Any]:
        scale = u[-1]
        if scale <= 0:
            return Long(np.inf), u, None
        e = self.A @ u[:-1] - self.y
        losses, within = self._losses(e, scale)
        value, slope, bend = self.penalties(self.T @ u[:-2], mu)
        by_e = np.where(within, 2 * e / scale, 2 * self.p * np.sign(e))
        by_scale = 1 - np.where(within, e**2 / scale**2, self.p**2)
        rows = within[:, None] * np.column_stack([self.A, -e / scale])
        gradient = np.append(self.A.T @ by_e, by_scale.sum()) / len(e)
        hessian = 2 / scale * rows.T @ rows / len(e)
        gradient[:-2] += self.T.T @ slope
        hessian[:-2, :-2] += (self.T * bend[:, None]).T @ self.T
        return losses.mean() + value, gradient, hessian

    def starts(self, w: Any, b: Any) -> list[Any]:
        scale = np.sqrt(((self.y - self.y.mean()) ** 2).mean()) or Long(1)
        return [np.append(u, scale) for u in super().starts(w, b)]


class Multinomial(Model):
    """A score for each class: −Σ s log p + Σ l2 W²/2. Coordinates of the classes follow each other."""

    def __init__(self, X: Any, y: Any, classes: int, l2: float, intercept: bool) -> None:
        super().__init__(X, y, squared, l2, 0.0, intercept)
        self.own = np.eye(classes, dtype=Long)[np.asarray(y, int)]

    def _judged(self, z: Any) -> tuple[Any, Any]:
        z = z - z.max(axis=1, keepdims=True)
        total = np.exp(z).sum(axis=1, keepdims=True)
        return (np.log(total) - (self.own * z).sum(axis=1, keepdims=True)).mean(), np.exp(z) / total

    def value(self, w: Any, b: Any) -> Any:
        W = np.asarray(w, Long)
        z = np.column_stack([self.scores(row, one) for row, one in zip(w, b, strict=True)])
        return self._judged(z)[0] + (self.l2 * W**2 / 2).sum()

    def function(self, u: Any, mu: Any) -> tuple[Any, Any, Any]:
        width, classes = self.A.shape[1], self.own.shape[1]
        U = u.reshape(classes, width)
        loss, p = self._judged(self.A @ U.T)
        gradient = ((p - self.own).T @ self.A) / len(p)
        hessian = np.zeros((classes, width, classes, width), Long)
        value = loss
        for k in range(classes):
            for m in range(classes):
                hessian[k, :, m] = (self.A * (p[:, k] * ((k == m) - p[:, m]))[:, None]).T @ self.A / len(p)
            part, slope, bend = self.penalties(self.T @ U[k, :-1], mu)
            value += part
            gradient[k, :-1] += self.T.T @ slope
            hessian[k, :-1, k, :-1] += (self.T * bend[:, None]).T @ self.T
        return value, gradient.ravel(), hessian.reshape(u.size, u.size)

    def starts(self, w: Any, b: Any) -> list[Any]:
        return [np.concatenate(parts) for parts in zip(*(super(Multinomial, self).starts(row, one)
                                                         for row, one in zip(w, b, strict=True)), strict=True)]
