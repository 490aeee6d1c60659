"""Half the Poisson deviance of a count, exp(z) − yz + y log y − y."""

from math import exp, log

import numpy as np
from numba import njit
from scipy.special import xlogy

from descend import losses
from descend.linear._losses.loss import Array, InNumPy, Kind, Separation

# The greatest score: beyond, its exponential overflows.
EXP_OVERFLOW = 700.0


@njit(cache=True, inline="always")
def _entropy(x):
    return x * log(x) if x > 0 else 0.0


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    return exp(z) - y * z + (y * log(y) - y if y > 0 else 0.0)


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return exp(z) - y


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return exp(z)


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return max(r, -y)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    rate = r + y
    return np.inf if rate < 0 else _entropy(rate) - rate - (_entropy(y) - y)


def _local_curvature_bound(z: Array, y: Array, _p: float, _mu: float) -> float:
    return max(float(y.max()), exp(min(float(z.max()), EXP_OVERFLOW)))


def separation_margins(z: Array, y: Array) -> tuple[Array, float]:
    """A direction leads rows whose count is 0 to ever lower rates, and leaves all others where they are."""
    return -z[y == 0], float(np.abs(z[y > 0]).max())


def without_logarithm(rows: int, border: int) -> str:
    """Why there is no minimum."""
    return (f"{rows - border:,} of the rows whose count is 0 lie on one side of a plane that holds all rows with "
            "counts, so that their rate has no logarithm; a penalty gives it one")


def _evaluated(z: Array, y: Array, *_: float) -> tuple[Array, Array]:
    rates = np.exp(z)
    return rates - y * z + xlogy(y, y) - y, rates - y


def _foreseen(z: Array, y: Array, old: Array, *_: float) -> tuple[Array, Array]:
    expected = np.exp(old)
    rates = np.maximum(expected + expected * (z - old), 0.0)
    return rates - y, xlogy(rates, rates) - rates - (xlogy(y, y) - y)


KIND = Kind(
    __name__,
    local_curvature_bound=_local_curvature_bound,
    link=log,
    strictly_convex=True,
    separation=Separation(separation_margins, without_logarithm),
    in_numpy=InNumPy(_evaluated, _foreseen, lambda z, _y, *_: np.exp(z)),
    in_jax=lambda z, y, _p, _mu: losses.poisson(z, y),
)
