"""The squared hinge, max(0, 1 − yz)², y = ±1."""

import numpy as np
from numba import njit

from descend import losses
from descend.linear._losses.loss import Array, InNumPy, Kind


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    short = max(1 - y * z, 0.0)
    return short * short


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return -2 * y * max(1 - y * z, 0.0)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return 2.0 if y * z < 1 else 0.0


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return -y * max(-y * r, 0.0)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    share = -y * r
    return 0.25 * share * share - share if share >= 0 else np.inf


@njit(cache=True, nogil=True)
def best(c, y, p, a, z):
    return -y * max(1 - y * c, 0.0) / (a + 0.5)


def _evaluated(z: Array, y: Array, *_: float) -> tuple[Array, Array]:
    short = np.maximum(1 - y * z, 0.0)
    return short * short, -2 * y * short


def _curvatures(z: Array, y: Array, *_: float) -> Array:
    return np.where(y * z < 1, 2.0, 0.0)


def _foreseen(z: Array, y: Array, old: Array, *_: float) -> tuple[Array, Array]:
    slopes = _evaluated(old, y)[1]
    share = np.maximum(-y * (slopes + _curvatures(old, y) * (z - old)), 0.0)
    return -y * share, 0.25 * share * share - share


KIND = Kind(__name__, classes=True, curvature_bound=lambda _p, _mu: 2.0,
            in_numpy=InNumPy(_evaluated, _foreseen, _curvatures),
            in_jax=lambda z, y, _p, _mu: losses.squared_hinge(z, y))
