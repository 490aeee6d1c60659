"""Errors beyond a width p, max(0, abs(z − y) − p), smoothed by mu: see `hinge`."""

import jax.numpy as jnp
import numpy as np
from numba import njit

from descend.linear._losses.loss import Array, Kind, Ranges


@njit(cache=True, inline="always")
def beyond(x, width):
    """How far x is outside of ±width, with its sign."""
    return x - min(max(x, -width), width)


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    over = beyond(z - y, p)
    if mu > 0:
        return min(max(over / mu, -1.0), 1.0)
    return 1.0 if over > 0 else (-1.0 if over < 0 else 0.0)


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    r = slope(z, y, p, mu)
    return r * (beyond(z - y, p) - 0.5 * mu * r)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return 1 / mu if 0 < abs(z - y) - p < mu else 0.0


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return min(max(r, -1.0), 1.0)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    return p * abs(r) + y * r if abs(r) <= 1 else np.inf


@njit(cache=True, nogil=True)
def best(c, y, p, a, z):
    return slope(c, y, p, a)


def _ranges(y: Array, p: float) -> list[Ranges]:
    one, none = np.ones(y.size), np.zeros(y.size)
    return [Ranges(-one, none, y - p), Ranges(none, one, y + p)]


KIND = Kind(
    __name__,
    curvature_bound=lambda _p, mu: 1 / mu if mu > 0 else np.inf,
    corners=2,
    ranges=_ranges,
    homogeneity=1,
    p_in_units=True,
    in_jax=lambda z, y, p, _mu: jnp.maximum(jnp.abs(z - y) - p, 0),
)
