"""Half the gamma deviance of a positive number, y exp(−z) − 1 + z − log y."""

from math import exp, log

import jax.numpy as jnp
import numpy as np
from numba import njit
from scipy.special import xlogy

from descend.linear._losses.loss import Array, InNumPy, Kind


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


def _evaluated(z: Array, y: Array, *_: float) -> tuple[Array, Array]:
    away = np.log(y) - z
    share = np.exp(away)
    return share - 1 - away, 1 - share


def _foreseen(z: Array, y: Array, old: Array, *_: float) -> tuple[Array, Array]:
    share = y * np.exp(-old)
    rest = np.maximum(share - share * (z - old), 0.0)
    return 1 - rest, (1 - rest) * (np.log(y) + 1) + xlogy(rest, rest)


KIND = Kind(__name__, local_curvature_bound=_local_curvature_bound, link=log, strictly_convex=True,
            in_numpy=InNumPy(_evaluated, _foreseen, lambda z, y, *_: y * np.exp(-z)),
            in_jax=lambda z, y, _p, _mu: y * jnp.exp(-z) - 1 + z - jnp.log(y))
