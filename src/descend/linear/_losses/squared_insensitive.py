"""Squares of errors beyond a width p, max(0, abs(z − y) − p)²."""

import jax.numpy as jnp
from numba import njit

from descend.linear._losses.insensitive import beyond
from descend.linear._losses.loss import Kind


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    over = beyond(z - y, p)
    return over * over


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return 2 * beyond(z - y, p)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return 2.0 if abs(z - y) > p else 0.0


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return r


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    return 0.25 * r * r + p * abs(r) + y * r


@njit(cache=True, nogil=True)
def best(c, y, p, a, z):
    return beyond(c - y, p) / (a + 0.5)


KIND = Kind(__name__, curvature_bound=lambda _p, _mu: 2.0, homogeneity=2, p_in_units=True,
            in_jax=lambda z, y, p, _mu: jnp.maximum(jnp.abs(z - y) - p, 0) ** 2)
