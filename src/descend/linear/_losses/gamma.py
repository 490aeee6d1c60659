"""Half the gamma deviance of a positive number, y exp(−z) − 1 + z − log y."""

from math import exp, log

import jax.numpy as jnp
import numpy as np
from numba import njit

from descend.linear._losses.loss import Array, Kind


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    away = log(y) - z
    return exp(away) - 1 - away


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return 1 - y * exp(-z)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return y * exp(-z)


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return min(r, 1.0)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    rest = 1 - r
    return np.inf if rest < 0 else r * log(y) + r + (rest * log(rest) if rest > 0 else 0.0)


def _local_curvature_bound(z: Array, y: Array, _p: float, _mu: float) -> float:
    with np.errstate(over="ignore"):
        return max(1.0, float(np.max(y * np.exp(-z))))


KIND = Kind(__name__, local_curvature_bound=_local_curvature_bound, link=log, strictly_convex=True,
            in_jax=lambda z, y, _p, _mu: y * jnp.exp(-z) - 1 + z - jnp.log(y))
