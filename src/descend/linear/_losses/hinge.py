"""The hinge, max(0, 1 − yz), y = ±1, smoothed by mu: ℓ_μ(z) = max_r (r z − ℓ*(r) − μ r²/2)."""

import numpy as np
from numba import njit

from descend import losses
from descend.linear._losses.loss import Array, Kind, Ranges


@njit(cache=True, inline="always")
def _share(short, mu):
    return min(max(short / mu, 0.0), 1.0) if mu > 0 else (1.0 if short > 0 else 0.0)


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    short = 1 - y * z
    share = _share(short, mu)
    return share * (short - 0.5 * mu * share)


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return -y * _share(1 - y * z, mu)


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    return 1 / mu if 0 < 1 - y * z < mu else 0.0


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return -y * min(max(-y * r, 0.0), 1.0)


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    share = -y * r
    return -share if 0 <= share <= 1 else np.inf


@njit(cache=True, nogil=True)
def best(c, y, p, a, z):
    return slope(c, y, p, a)


def _ranges(y: Array, _p: float) -> list[Ranges]:
    above = y > 0
    return [Ranges(np.where(above, -1.0, 0.0), np.where(above, 0.0, 1.0), np.where(above, 1.0, -1.0))]


KIND = Kind(
    __name__,
    classes=True,
    curvature_bound=lambda _p, mu: 1 / mu if mu > 0 else np.inf,
    corners=1,
    ranges=_ranges,
    in_jax=lambda z, y, _p, _mu: losses.hinge(z, y),
)
