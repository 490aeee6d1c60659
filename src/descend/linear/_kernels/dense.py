"""Kernels for a dense matrix: one pass over it gives scores, loss and gradient together.

Rows that follow each other in memory are gone through one by one, and each is still in the nearest cache when its slope
is known and it is added to the gradient. Where columns follow each other (Fortran's order), it is a block of rows that
stays in the cache. Numbers of any precision are read; all sums are in float64.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH, SUMS_OF_A_PASS, evaluate_rows, room, weight_of
from descend.linear._kernels.prefetching import prefetch

# Numbers of a block of rows that stay in a core's nearest caches.
CACHED_ENTRIES = 2**14
# Bytes of a line of memory.
LINE_BYTES = 64


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sweep_rows(start, stop, X, w, b, place, p, mu, y, s, offset, z, with_dual):
    """One pass over rows in C order: see `Matrix.sweep`."""
    columns = X.shape[1]
    step = max(16, min(1024, CACHED_ENTRIES // max(columns, 1)))
    scores, (r, spare) = np.empty(step), room(step, with_dual)
    out, sums = np.zeros((r.shape[0], columns)), np.zeros(SUMS_OF_A_PASS)
    for first in range(start, stop, step):
        count = min(step, stop - first)
        for i in range(count):
            score = b
            for j in range(columns):
                score += X[first + i, j] * w[j]
            scores[i] = score
        evaluate_rows(place, first, count, p, mu, y, s, offset, scores, z, r, spare, sums)
        # Four rows at a time, while the next block is asked for: the sums are the same memory for all rows, and to load
        # and store them once for four rows is what the pass would otherwise wait for.
        following = min(step, stop - first - count)
        last = count - count % 4
        for i in range(0, last, 4):
            ask_for(first + count + i, min(4, following - i), X)
            if with_dual:
                add_rows(first + i, X, r[0, i : i + 4], r[1, i : i + 4], r[2, i : i + 4], out[0], out[1], out[2])
            else:
                add_rows_once(first + i, X, r[0, i : i + 4], out[0])
        for i in range(last, count):
            for k in range(r.shape[0]):
                factor = r[k, i]
                for j in range(columns):
                    out[k, j] += factor * X[first + i, j]
    return sums, out


@njit(cache=True, nogil=True)
def ask_for(first, count, X):
    """Ask for rows that follow, while those before are in the cache and memory is idle."""
    for i in range(first, first + count):
        for j in range(0, X.shape[1], max(1, LINE_BYTES // X.itemsize)):
            prefetch(X, i, j)


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def add_rows_once(i, X, r, out):
    """Add Xᵀr of four rows, so that sums are seldom stored."""
    a, b, c, d = r[0], r[1], r[2], r[3]
    for j in range(X.shape[1]):
        out[j] += a * X[i, j] + b * X[i + 1, j] + c * X[i + 2, j] + d * X[i + 3, j]


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def add_rows(i, X, r, q, t, one, low, high):
    """The same for three factors of each row."""
    for j in range(X.shape[1]):
        x, xx, xxx, xxxx = X[i, j], X[i + 1, j], X[i + 2, j], X[i + 3, j]
        one[j] += r[0] * x + r[1] * xx + r[2] * xxx + r[3] * xxxx
        low[j] += q[0] * x + q[1] * xx + q[2] * xxx + q[3] * xxxx
        high[j] += t[0] * x + t[1] * xx + t[2] * xxx + t[3] * xxxx


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sweep_columns(start, stop, X, w, b, place, p, mu, y, s, offset, z, with_dual):
    """The same for a matrix in Fortran's order; four columns at a time, so that what goes with rows is seldom read."""
    columns = X.shape[1]
    step = max(16, min(4096, 2 * CACHED_ENTRIES // max(columns, 1)))
    scores, (r, spare) = np.empty(step), room(step, with_dual)
    out, sums = np.zeros((r.shape[0], columns)), np.zeros(SUMS_OF_A_PASS)
    for first in range(start, stop, step):
        count = min(step, stop - first)
        _scores_of_columns(first, count, X, w, b, scores)
        evaluate_rows(place, first, count, p, mu, y, s, offset, scores, z, r, spare, sums)
        for k in range(r.shape[0]):
            _add_columns(first, count, X, r[k], out[k])
    return sums, out


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _scores_of_columns(first, count, X, w, b, scores):
    columns = X.shape[1]
    last = columns - columns % 4
    scores[:count] = b
    for j in range(0, last, 4):
        one, two, three, four = w[j], w[j + 1], w[j + 2], w[j + 3]
        for k in range(count):
            i = first + k
            scores[k] += one * X[i, j] + two * X[i, j + 1] + three * X[i, j + 2] + four * X[i, j + 3]
    for j in range(last, columns):
        one = w[j]
        for k in range(count):
            scores[k] += one * X[first + k, j]


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _add_columns(first, count, X, r, out):
    columns = X.shape[1]
    last = columns - columns % 4
    for j in range(0, last, 4):
        one, two, three, four = 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            i, factor = first + k, r[k]
            one += factor * X[i, j]
            two += factor * X[i, j + 1]
            three += factor * X[i, j + 2]
            four += factor * X[i, j + 3]
        out[j] += one
        out[j + 1] += two
        out[j + 2] += three
        out[j + 3] += four
    for j in range(last, columns):
        one = 0.0
        for k in range(count):
            one += r[k] * X[first + k, j]
        out[j] += one


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
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


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
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


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def weighted_rows(start, stop, X, centre, unit, roots, out):
    """Rows centred, in units, with a column of ones, each times its root: what a Gram matrix is made of."""
    columns = X.shape[1]
    for i in range(start, stop):
        root = roots[i - start]
        for j in range(columns):
            out[i - start, j] = root * (X[i, j] - centre[j]) * unit[j]
        out[i - start, columns] = root


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def weighted_columns(start, stop, X, centre, unit, roots, out):
    """The same for a matrix in Fortran's order."""
    columns = X.shape[1]
    for j in range(columns):
        for i in range(start, stop):
            out[i - start, j] = roots[i - start] * (X[i, j] - centre[j]) * unit[j]
    out[: stop - start, columns] = roots[: stop - start]
