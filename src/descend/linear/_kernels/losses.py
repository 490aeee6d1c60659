"""Losses of one row's score, compiled: value, slope, curvature and convex conjugate.

A loss ℓ(z, y) is a number of its kind and two parameters, `p` and `mu`, so that one compiled kernel serves all. Where ℓ
has corners it is smoothed by `mu`: ℓ_μ(z) = max_r (r z − ℓ*(r) − μ r²/2), at most ℓ and at least ℓ − μ max r²/2.
Slopes of the smoothed loss lie in the domain of the conjugate ℓ*, so each is a dual point of ℓ itself.

| kind | ℓ(z, y) | y | p |
| --- | --- | --- | --- |
| squared | (z − y)²/2 | a number | |
| logistic | log(1 + exp(−yz)) | ±1 | |
| hinge | max(0, 1 − yz), smoothed | ±1 | |
| squared hinge | max(0, 1 − yz)² | ±1 | |
| huber | μ + μ H((z − y)/μ), H(u) = u² up to p, then 2p·abs(u) − p² | a number | p |
| pinball | (y − z) p above z, (z − y)(1 − p) below, smoothed | a number | quantile |
| poisson | exp(z) − yz + y log y − y | a count | |
| insensitive | max(0, abs(z − y) − p), smoothed | a number | width |
| squared insensitive | max(0, abs(z − y) − p)² | a number | width |

Huber's `mu` is the scale σ that is found together with the coefficients (Owen, 2007, "A robust hybrid of lasso and
ridge regression").
"""

from math import exp, inf, log, log1p
from typing import NamedTuple

from numba import njit

SQUARED, LOGISTIC, HINGE, SQUARED_HINGE, HUBER, PINBALL, POISSON, INSENSITIVE, SQUARED_INSENSITIVE = range(9)
SMOOTHED = (HINGE, PINBALL, INSENSITIVE)
CLASSES = (LOGISTIC, HINGE, SQUARED_HINGE)  # whose targets are −1 and 1
CURVATURE = {SQUARED: 1.0, LOGISTIC: 0.25, SQUARED_HINGE: 2.0, SQUARED_INSENSITIVE: 2.0}  # at most


class Loss(NamedTuple):
    """A loss by its kind and parameters; see the module."""

    kind: int
    p: float = 0.0
    mu: float = 0.0


@njit(cache=True, inline="always")
def _clip(x, low, high):
    return min(max(x, low), high)


@njit(cache=True, inline="always")
def _beyond(x, width):
    """How far x is outside of ±width, with its sign."""
    return x - _clip(x, -width, width)


@njit(cache=True, nogil=True)
def value(kind, p, mu, z, y):
    """ℓ(z, y)."""
    if kind == SQUARED:
        return 0.5 * (z - y) * (z - y)
    if kind == LOGISTIC:
        margin = y * z
        return log1p(exp(-margin)) if margin > 0 else log1p(exp(margin)) - margin
    if kind == HINGE:
        short = 1 - y * z
        share = _clip(short / mu, 0.0, 1.0) if mu > 0 else (1.0 if short > 0 else 0.0)
        return share * (short - 0.5 * mu * share)
    if kind == SQUARED_HINGE:
        short = max(1 - y * z, 0.0)
        return short * short
    if kind == HUBER:
        u = abs(z - y) / mu
        return mu + mu * (u * u if u <= p else p * (2 * u - p))
    if kind == POISSON:
        return exp(z) - y * z + (y * log(y) - y if y > 0 else 0.0)
    if kind == PINBALL:
        r = slope(kind, p, mu, z, y)
        return r * (z - y - 0.5 * mu * r)
    over = _beyond(z - y, p)
    if kind == SQUARED_INSENSITIVE:
        return over * over
    r = slope(kind, p, mu, z, y)
    return r * (over - 0.5 * mu * r)


@njit(cache=True, nogil=True)
def slope(kind, p, mu, z, y):
    """ℓ'(z, y), by z."""
    if kind == SQUARED:
        return z - y
    if kind == LOGISTIC:
        return -y / (1 + exp(y * z))
    if kind == HINGE:
        short = 1 - y * z
        return -y * (_clip(short / mu, 0.0, 1.0) if mu > 0 else (1.0 if short > 0 else 0.0))
    if kind == SQUARED_HINGE:
        return -2 * y * max(1 - y * z, 0.0)
    if kind == HUBER:
        return 2 * _clip((z - y) / mu, -p, p)
    if kind == POISSON:
        return exp(z) - y
    if kind == PINBALL:
        if mu > 0:
            return _clip((z - y) / mu, -p, 1 - p)
        return -p if z < y else (1 - p if z > y else 0.0)
    over = _beyond(z - y, p)
    if kind == SQUARED_INSENSITIVE:
        return 2 * over
    if mu > 0:
        return _clip(over / mu, -1.0, 1.0)
    return 1.0 if over > 0 else (-1.0 if over < 0 else 0.0)


@njit(cache=True, nogil=True)
def curvature(kind, p, mu, z, y):
    """ℓ''(z, y), by z; where the slope has a corner, of one side."""
    if kind == SQUARED:
        return 1.0
    if kind == LOGISTIC:
        e = exp(-abs(z))
        return e / ((1 + e) * (1 + e))
    if kind == HINGE:
        return 1 / mu if 0 < 1 - y * z < mu else 0.0
    if kind == SQUARED_HINGE:
        return 2.0 if y * z < 1 else 0.0
    if kind == HUBER:
        return 2 / mu if abs(z - y) < p * mu else 0.0
    if kind == POISSON:
        return exp(z)
    if kind == PINBALL:
        return 1 / mu if -p * mu < z - y < (1 - p) * mu else 0.0
    over = abs(z - y) - p
    if kind == SQUARED_INSENSITIVE:
        return 2.0 if over > 0 else 0.0
    return 1 / mu if 0 < over < mu else 0.0


@njit(cache=True, nogil=True)
def feasible(kind, p, r, y):
    """The slope nearest to r that the conjugate's domain has."""
    if kind in (LOGISTIC, HINGE):
        return -y * _clip(-y * r, 0.0, 1.0)
    if kind == SQUARED_HINGE:
        return -y * max(-y * r, 0.0)
    if kind == HUBER:
        return _clip(r, -2 * p, 2 * p)
    if kind == PINBALL:
        return _clip(r, -p, 1 - p)
    if kind == POISSON:
        return max(r, -y)
    if kind == INSENSITIVE:
        return _clip(r, -1.0, 1.0)
    return r


@njit(cache=True, inline="always")
def _entropy(x):
    return x * log(x) if x > 0 else 0.0


@njit(cache=True, nogil=True)
def conjugate(kind, p, r, y):
    """ℓ*(r, y) = max_z (r z − ℓ(z, y)) of the loss without smoothing; infinite outside its domain.

    Of Huber's at a scale of nothing, yr: the scale is part of the minimum there, and asks besides that the mean of
    r²/4 is at most 1.
    """
    if kind == SQUARED:
        return r * (0.5 * r + y)
    if kind in (LOGISTIC, HINGE, SQUARED_HINGE):
        share = -y * r
        if share < 0 or (share > 1 and kind != SQUARED_HINGE):
            return inf
        if kind == LOGISTIC:
            return _entropy(share) + _entropy(1 - share)
        return (0.25 * share * share if kind == SQUARED_HINGE else 0.0) - share
    if kind == POISSON:
        rate = r + y
        return inf if rate < 0 else _entropy(rate) - rate - (_entropy(y) - y)
    if kind == HUBER:
        return y * r if abs(r) <= 2 * p * (1 + 1e-15) else inf
    if kind == PINBALL:
        return y * r if -p <= r <= 1 - p else inf
    if kind == SQUARED_INSENSITIVE:
        return 0.25 * r * r + p * abs(r) + y * r
    return p * abs(r) + y * r if abs(r) <= 1 else inf
