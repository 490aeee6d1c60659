"""The pinball loss of the quantile p: (y − z) p below y, (z − y)(1 − p) above, smoothed by mu: see `hinge`."""

import jax.numpy as jnp
import numpy as np
from numba import njit

from descend.linear._losses.loss import Array, Kind, Ranges


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    if mu > 0:
        return min(max((z - y) / mu, -p), 1 - p)
    return -p if z < y else (1 - p if z > y else 0.0)


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    r = slope(z, y, p, mu)
    return r * (z - y - 0.5 * mu * r)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return 1 / mu if -p * mu < z - y < (1 - p) * mu else 0.0


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return min(max(r, -p), 1 - p)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    return y * r if -p <= r <= 1 - p else np.inf


@njit(cache=True, nogil=True)
def best(c, y, p, a, z):
    return slope(c, y, p, a)


def _ranges(y: Array, p: float) -> list[Ranges]:
    return [Ranges(np.full(y.size, -p), np.full(y.size, 1 - p), np.asarray(y, np.float64))]


KIND = Kind(__name__, curvature_bound=lambda _p, mu: 1 / mu if mu > 0 else np.inf, corners=1, ranges=_ranges,
            slope_bound=lambda p: max(p, 1 - p), homogeneity=1,
            in_jax=lambda z, y, p, _mu: jnp.maximum(p * (y - z), (1 - p) * (z - y)))
