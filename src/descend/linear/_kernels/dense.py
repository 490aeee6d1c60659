"""Kernels for a dense matrix: one pass over it gives scores, loss and gradient together.

Rows that follow each other in memory are gone through one by one, and each is still in the nearest cache when its slope
is known and it is added to the gradient. Where columns follow each other (Fortran's order), it is a block of rows that
stays in the cache. Numbers of any precision are read; all sums are in float64.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.judging import FAST, SUMS, judge, room, weight_of
from descend.linear._kernels.prefetching import prefetch

CACHE = 2**14  # numbers of a block of rows that stay in a core's nearest caches
LINE = 64  # bytes of a line of memory


@njit(cache=True, nogil=True, fastmath=FAST)
def sweep_rows(start, stop, X, w, b, kind, p, mu, y, s, z):
    """One pass over rows in C order: see `Matrix.sweep`."""
    columns = X.shape[1]
    out, sums = np.zeros((3, columns)), np.zeros(SUMS)
    step = max(16, min(1024, CACHE // max(columns, 1)))
    scores, (r, spare) = np.empty(step), room(step)
    for first in range(start, stop, step):
        count = min(step, stop - first)
        for i in range(count):
            score = b
            for j in range(columns):
                score += X[first + i, j] * w[j]
            scores[i] = score
        judge(first, count, kind, p, mu, y, s, scores, z, r, spare, sums)
        add_products(first, count, min(step, stop - first - count), X, r, out)
    return sums, out[0], out[1:]


@njit(cache=True, nogil=True, fastmath=FAST)
def add_products(first, count, following, X, r, out):
    """Add Xᵀr of some rows, for the three rows of r; four rows at a time, so that sums are seldom stored.

    While these rows are in the cache and memory is idle, those that follow are asked for.
    """
    one, low, high = out[0], out[1], out[2]
    last, line = count - count % 4, max(1, LINE // X.itemsize)
    for i in range(0, last, 4):
        for k in range(i, min(i + 4, following)):
            for j in range(0, X.shape[1], line):
                prefetch(X, first + count + k, j)
        a, b, c, d = r[:, i], r[:, i + 1], r[:, i + 2], r[:, i + 3]
        for j in range(X.shape[1]):
            x, xx, xxx, xxxx = X[first + i, j], X[first + i + 1, j], X[first + i + 2, j], X[first + i + 3, j]
            one[j] += a[0] * x + b[0] * xx + c[0] * xxx + d[0] * xxxx
            low[j] += a[1] * x + b[1] * xx + c[1] * xxx + d[1] * xxxx
            high[j] += a[2] * x + b[2] * xx + c[2] * xxx + d[2] * xxxx
    for i in range(last, count):
        for j in range(X.shape[1]):
            x = X[first + i, j]
            one[j] += r[0, i] * x
            low[j] += r[1, i] * x
            high[j] += r[2, i] * x


@njit(cache=True, nogil=True, fastmath=FAST)
def sweep_columns(start, stop, X, w, b, kind, p, mu, y, s, z):
    """The same for a matrix in Fortran's order."""
    columns = X.shape[1]
    out, sums = np.zeros((3, columns)), np.zeros(SUMS)
    step = max(16, min(4096, CACHE // max(columns, 1)))
    scores, (r, spare) = np.empty(step), room(step)
    for first in range(start, stop, step):
        count = min(step, stop - first)
        scores[:count] = b
        for j in range(columns):
            coefficient = w[j]
            for i in range(count):
                scores[i] += coefficient * X[first + i, j]
        judge(first, count, kind, p, mu, y, s, scores, z, r, spare, sums)
        slopes, below, above = r[0], r[1], r[2]
        for j in range(columns):
            one, low, high = 0.0, 0.0, 0.0
            for i in range(count):
                x = X[first + i, j]
                one += slopes[i] * x
                low += below[i] * x
                high += above[i] * x
            out[0, j] += one
            out[1, j] += low
            out[2, j] += high
    return sums, out[0], out[1:]


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
