"""An epoch of steps, each along the gradient of one row's loss, with or without variance reduction."""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH, weight_of
from descend.linear._kernels.calling import number


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def longest_row(X, centre, unit, intercept):
    """The greatest Σ ((x − centre)·unit)² of a row, with the intercept's one."""
    longest = 0.0
    for i in range(X.shape[0]):
        length = 1.0 if intercept else 0.0
        for j in range(X.shape[1]):
            length += ((X[i, j] - centre[j]) * unit[j]) ** 2
        longest = max(longest, length)
    return longest


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def longest_sparse_row(data, indices, indptr, unit, intercept):
    """The same of a sparse matrix, which is not centred."""
    longest = 0.0
    for i in range(indptr.size - 1):
        length = 1.0 if intercept else 0.0
        for k in range(indptr[i], indptr[i + 1]):
            length += (data[k] * unit[indices[k]]) ** 2
        longest = max(longest, length)
    return longest


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def epoch(order, X, centre, unit, intercept, slope, p, mu, y, s, z, u, pull, decay, rates, reduced, mean):
    """u ← u − η [n s (ℓ'(xu) − ℓ'(z)) x + pull + decay·u] for the rows in this order; `mean` of all u on the way.

    `slope`: of the loss, by its address. `z`: the scores at the last full gradient, whose remainder is `pull`; without
    reduction both count for nothing.
    """
    columns, count = X.shape[1], order.size
    row = np.empty(columns)
    for t in range(count):
        i, rate = order[t], rates[t]
        score = u[columns]
        for j in range(columns):
            row[j] = (X[i, j] - centre[j]) * unit[j]
            score += row[j] * u[j]
        r = number(slope, score, y[i], p, mu)
        if reduced:
            r -= number(slope, z[i], y[i], p, mu)
        r *= rate * count * weight_of(s, i)
        for j in range(columns):
            u[j] -= r * row[j] + rate * (pull[j] + decay[j] * u[j])
            mean[j] += (u[j] - mean[j]) / (t + 1)
        if intercept:
            u[columns] -= r + rate * pull[columns]
            mean[columns] += (u[columns] - mean[columns]) / (t + 1)


@njit(cache=True, nogil=True, inline="always")
def _caught_up(value, pull, decay, rate, steps):
    """A number after so many steps of v ← v − η (pull + decay·v), at one rate."""
    if decay == 0:
        return value - steps * rate * pull
    rest = -pull / decay
    return rest + (value - rest) * (1 - rate * decay) ** steps


@njit(cache=True, nogil=True)
def sparse_epoch(order, data, indices, indptr, unit, intercept, slope, p, mu, y, s, z, u, pull, decay, rate, reduced):
    """The same for a sparse matrix at one rate: what moves all coefficients is caught up with when one is looked at."""
    columns, count = unit.size, order.size
    seen = np.zeros(columns, np.int64)
    for t in range(count):
        i = order[t]
        score = u[columns]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            u[j] = _caught_up(u[j], pull[j], decay[j], rate, t - seen[j])
            seen[j] = t
            score += data[k] * unit[j] * u[j]
        r = number(slope, score, y[i], p, mu)
        if reduced:
            r -= number(slope, z[i], y[i], p, mu)
        r *= rate * count * weight_of(s, i)
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            u[j] -= r * data[k] * unit[j]
        if intercept:
            u[columns] -= r + rate * pull[columns]
    for j in range(columns):
        u[j] = _caught_up(u[j], pull[j], decay[j], rate, count - seen[j])
