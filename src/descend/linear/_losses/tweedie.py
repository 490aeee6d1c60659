"""Half the Tweedie deviance of a number that may be 0, of power p between 1 and 2:

    exp(qz)/q + y exp(−(1 − q) z)/(1 − q) − y^q/(q (1 − q)),  q = 2 − p

In units of y^q, with u = z − log y, it is expm1(qu)/q + expm1(−(1 − q) u)/(1 − q), which does not cancel where p is
near 1 (Poisson's loss) or 2 (the gamma loss). The conjugate's maximum is found by Newton's steps, and what they leave
out is squared in it.

Reference: Jørgensen (1987), "Exponential dispersion models".
"""

from math import exp, expm1, inf, log, log1p

import jax.numpy as jnp
import numpy as np
from numba import njit

from descend.linear._losses.loss import Array, Kind, Separation
from descend.linear._losses.poisson import separation_margins

NEWTON_STEPS = 100


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    q = 2 - p
    if y <= 0:
        return exp(q * z) / q
    u = z - log(y)
    return y**q * (expm1(q * u) / q + expm1(-(1 - q) * u) / (1 - q))


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return exp((2 - p) * z) - (y * exp((1 - p) * z) if y > 0 else 0.0)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return (2 - p) * exp((2 - p) * z) + ((p - 1) * y * exp((1 - p) * z) if y > 0 else 0.0)


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return r if y > 0 else max(r, 0.0)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    q = 2 - p
    if y <= 0:
        return inf if r < 0 else (r * (log(r) - 1) / q if r > 0 else 0.0)
    # exp(qu) − exp(−(1 − q) u).
    aim = r / y**q
    low, high = (0.0, log1p(aim) / q) if aim > 0 else (-log1p(-aim) / (1 - q), 0.0)
    u = high if aim > 0 else low
    for _ in range(NEWTON_STEPS):
        up, down = exp(q * u), exp(-(1 - q) * u)
        error = up - down - aim
        if error > 0:
            high = min(high, u)
        else:
            low = max(low, u)
        after = u - error / (q * up + (1 - q) * down)
        after = after if low <= after <= high else 0.5 * (low + high)
        if abs(after - u) <= 1e-12 * (1 + abs(u)):
            break
        u = after
    return r * (log(y) + u) - value(log(y) + u, y, p, mu)


def _local_curvature_bound(z: Array, y: Array, p: float, _mu: float) -> float:
    with np.errstate(over="ignore"):
        there = (2 - p) * np.exp((2 - p) * z) + (p - 1) * np.where(y > 0, y * np.exp((1 - p) * z), 0.0)
        return max(float(np.max(y)) ** (2 - p), float(np.max(there)))


def _told(rows: int, border: int) -> str:
    return (f"{rows - border:,} of the rows whose target is 0 lie on one side of a plane that holds all other rows, so "
            "that what is expected of them has no logarithm; a penalty gives it one")


KIND = Kind(
    __name__,
    local_curvature_bound=_local_curvature_bound,
    link=log,
    strictly_convex=True,
    separation=Separation(separation_margins, _told),
    in_jax=lambda z, y, p, _mu: (
        jnp.exp((2 - p) * z) / (2 - p) + y * jnp.exp((1 - p) * z) / (p - 1) - y ** (2 - p) / ((2 - p) * (p - 1))
    ),
)
