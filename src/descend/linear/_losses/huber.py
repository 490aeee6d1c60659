"""Huber's loss, μ + μ H((z − y)/μ), H(u) = u² up to p, then 2p·abs(u) − p².

`mu` is the scale σ that is found together with the coefficients (Owen, 2007, "A robust hybrid of lasso and ridge
regression"). The conjugate is that at a scale of nothing, yr: the scale is part of the minimum there, and asks besides
that the mean of r²/4 is at most 1.
"""

import numpy as np
from numba import njit

from descend import losses
from descend.linear._losses.loss import Array, InNumPy, Kind


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    u = abs(z - y) / mu
    return mu + mu * (u * u if u <= p else p * (2 * u - p))


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return 2 * min(max((z - y) / mu, -p), p)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return 2 / mu if abs(z - y) < p * mu else 0.0


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return min(max(r, -2 * p), 2 * p)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    return y * r if abs(r) <= 2 * p * (1 + 1e-15) else np.inf


def _evaluated(z: Array, y: Array, p: float, mu: float) -> tuple[Array, Array]:
    u = (z - y) / mu
    size = np.abs(u)
    return mu + mu * np.where(size <= p, u * u, p * (2 * size - p)), 2 * np.clip(u, -p, p)


def _curvatures(z: Array, y: Array, p: float, mu: float) -> Array:
    return np.where(np.abs(z - y) < p * mu, 2 / mu, 0.0)


def _foreseen(z: Array, y: Array, old: Array, p: float, mu: float) -> tuple[Array, Array]:
    _, slopes = _evaluated(old, y, p, mu)
    ahead = np.clip(slopes + _curvatures(old, y, p, mu) * (z - old), -2 * p, 2 * p)
    return ahead, y * ahead


KIND = Kind(
    __name__,
    curvature_bound=lambda _p, mu: 2 / mu,
    concomitant_scale=True,
    slope_bound=lambda p: 2 * p,
    homogeneity=1,
    in_numpy=InNumPy(_evaluated, _foreseen, _curvatures),
    in_jax=lambda z, y, p, mu: mu + 2 * mu * losses.huber(z / mu, y / mu, p),
)
