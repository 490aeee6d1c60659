"""Kernels for a dense matrix: one pass over it gives scores, loss and gradient together.

Rows that follow each other in memory are gone through one by one, and each is still in the nearest cache when its slope
is known and it is added to the gradient. Where columns follow each other (Fortran's order), it is a block of rows that
stays in the cache. Numbers of any precision are read; all sums are in float64.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.losses import conjugate, curvature, feasible, slope, value

FAST = {"reassoc", "contract", "arcp", "nsz"}  # sums in any order, for vector instructions; NaN and infinity stay
CACHE = 2**16  # numbers of a block of rows that stay in a core's cache


@njit(cache=True, nogil=True, inline="always")
def weight_of(s, i):
    """The weight of a row, where there may be one for all."""
    return s[i] if s.size > 1 else s[0]


@njit(cache=True, nogil=True, inline="always")
def judged(kind, p, mu, z, old, y):
    """Loss, slope, the slope that was foreseen at the last point for this score, and its conjugate."""
    foreseen = feasible(kind, p, slope(kind, p, mu, old, y) + curvature(kind, p, mu, old, y) * (z - old), y)
    return value(kind, p, mu, z, y), slope(kind, p, mu, z, y), foreseen, conjugate(kind, p, foreseen, y)


@njit(cache=True, nogil=True, fastmath=FAST)
def sweep_rows(start, stop, X, w, b, kind, p, mu, y, s, z):
    """One pass over rows in C order: see `Matrix.sweep`."""
    columns = X.shape[1]
    g, q = np.zeros(columns), np.zeros((2, columns))
    sums = np.zeros(7)  # loss, slope; of foreseen slopes below and above 0: conjugates, sums; and squares
    for i in range(start, stop):
        score = b
        for j in range(columns):
            score += X[i, j] * w[j]
        weight = weight_of(s, i)
        loss, r, foreseen, conjugated = judged(kind, p, mu, score, z[i], y[i])
        z[i] = score
        side = 1 if foreseen > 0 else 0
        sums[6] += weight * foreseen * foreseen
        r, foreseen = weight * r, weight * foreseen
        sums[0] += weight * loss
        sums[1] += r
        sums[2 + side] += weight * conjugated
        sums[4 + side] += foreseen
        for j in range(columns):
            x = X[i, j]
            g[j] += r * x
            q[side, j] += foreseen * x
    return sums, g, q


@njit(cache=True, nogil=True, fastmath=FAST)
def sweep_columns(start, stop, X, w, b, kind, p, mu, y, s, z):
    """The same for a matrix in Fortran's order."""
    columns = X.shape[1]
    g, q = np.zeros(columns), np.zeros((2, columns))
    sums = np.zeros(7)
    step = max(16, min(4096, CACHE // max(columns, 1)))
    scores, slopes, below, above = np.empty(step), np.empty(step), np.empty(step), np.empty(step)
    for first in range(start, stop, step):
        count = min(step, stop - first)
        scores[:count] = b
        for j in range(columns):
            coefficient = w[j]
            for i in range(count):
                scores[i] += coefficient * X[first + i, j]
        for i in range(count):
            k = first + i
            weight = weight_of(s, k)
            loss, r, expected, conjugated = judged(kind, p, mu, scores[i], z[k], y[k])
            z[k] = scores[i]
            side = 1 if expected > 0 else 0
            slopes[i], below[i], above[i] = weight * r, weight * min(expected, 0.0), weight * max(expected, 0.0)
            sums[0] += weight * loss
            sums[1] += slopes[i]
            sums[2 + side] += weight * conjugated
            sums[4 + side] += weight * expected
            sums[6] += weight * expected * expected
        for j in range(columns):
            one, low, high = 0.0, 0.0, 0.0
            for i in range(count):
                x = X[first + i, j]
                one += slopes[i] * x
                low += below[i] * x
                high += above[i] * x
            g[j] += one
            q[0, j] += low
            q[1, j] += high
    return sums, g, q


@njit(cache=True, nogil=True)
def curvatures(start, stop, kind, p, mu, y, s, z, out):
    """The weighted second derivatives of the rows' losses."""
    for i in range(start, stop):
        out[i - start] = weight_of(s, i) * curvature(kind, p, mu, z[i], y[i])


@njit(cache=True, nogil=True, fastmath=FAST)
def moments_rows(start, stop, X, s):
    """Of each column the weighted sum and sum of squares about its first row's number, and the greatest magnitude."""
    columns = X.shape[1]
    total, squares, greatest = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for i in range(start, stop):
        weight = weight_of(s, i)
        for j in range(columns):
            x = np.float64(X[i, j])
            away = x - X[0, j]
            total[j] += weight * away
            squares[j] += weight * away * away
            greatest[j] = max(greatest[j], abs(x))
    return total, squares, greatest


@njit(cache=True, nogil=True, fastmath=FAST)
def moments_columns(start, stop, X, s):
    """The same for a matrix in Fortran's order."""
    columns = X.shape[1]
    total, squares, greatest = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for j in range(columns):
        first = np.float64(X[0, j])
        one, two, three = 0.0, 0.0, 0.0
        for i in range(start, stop):
            weight, x = weight_of(s, i), np.float64(X[i, j])
            one += weight * (x - first)
            two += weight * (x - first) * (x - first)
            three = max(three, abs(x))
        total[j], squares[j], greatest[j] = one, two, three
    return total, squares, greatest


@njit(cache=True, nogil=True, fastmath=FAST)
def weighted_rows(start, stop, X, centre, unit, roots, out):
    """Rows centred, in units, with a column of ones, each times its root: what a Gram matrix is made of."""
    columns = X.shape[1]
    for i in range(start, stop):
        root = roots[i - start]
        for j in range(columns):
            out[i - start, j] = root * (X[i, j] - centre[j]) * unit[j]
        out[i - start, columns] = root


@njit(cache=True, nogil=True, fastmath=FAST)
def weighted_columns(start, stop, X, centre, unit, roots, out):
    """The same for a matrix in Fortran's order."""
    columns = X.shape[1]
    for j in range(columns):
        for i in range(start, stop):
            out[i - start, j] = roots[i - start] * (X[i, j] - centre[j]) * unit[j]
    out[: stop - start, columns] = roots[: stop - start]
