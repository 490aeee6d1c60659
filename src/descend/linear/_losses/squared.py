"""Squares, (z − y)²/2."""

import numpy as np
from numba import njit

from descend import losses
from descend.linear._losses.loss import Array, InNumPy, Kind


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    return 0.5 * (z - y) * (z - y)


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return z - y


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return 1.0


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return r


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    return r * (0.5 * r + y)


@njit(cache=True, nogil=True)
def best(c, y, p, a, z):
    return (c - y) / (1 + a)


@njit(cache=True, nogil=True)
def predict_dual_block(first, count, y, scores, z, foreseen, conjugates):
    """The slopes of the scores, as a quadratic function foresees them, whatever the last ones were."""
    _errors(first, count, y, scores, foreseen)
    for i in range(count):
        conjugates[i] = foreseen[i] * (0.5 * foreseen[i] + y[first + i])


@njit(cache=True, nogil=True)
def evaluate_block(first, count, y, scores, slopes, values):
    """Slopes and values."""
    _errors(first, count, y, scores, slopes)
    for i in range(count):
        values[i] = 0.5 * slopes[i] * slopes[i]


@njit(cache=True, nogil=True)
def _errors(first, count, y, scores, out):
    for i in range(count):
        out[i] = scores[i] - y[first + i]


def _evaluated(z: Array, y: Array, *_: float) -> tuple[Array, Array]:
    errors = z - y
    return 0.5 * errors * errors, errors


def _foreseen(z: Array, y: Array, _old: Array, *_: float) -> tuple[Array, Array]:
    errors = z - y
    return errors, errors * (0.5 * errors + y)


KIND = Kind(__name__, curvature_bound=lambda _p, _mu: 1.0, strictly_convex=True, quadratic=True, homogeneity=2,
            in_numpy=InNumPy(_evaluated, _foreseen, lambda z, _y, *_: np.ones_like(z)),
            in_jax=lambda z, y, _p, _mu: losses.squared(z, y))
