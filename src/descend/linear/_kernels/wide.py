"""Kernels for a dense matrix of many columns, in two passes: the scores, from the coefficients that are not 0, and then
the gradient. A single pass would go over columns in pieces too short for vector instructions, or read what is times 0.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.judging import FAST, SUMS, judge, room

ROWS = 1024  # of a block


@njit(cache=True, nogil=True, fastmath=FAST)
def scores_rows(start, stop, X, chosen, w, b, out):
    """Scores of rows from the chosen columns and their coefficients."""
    for i in range(start, stop):
        score = b
        for k in range(chosen.size):
            score += X[i, chosen[k]] * w[k]
        out[i] = score


@njit(cache=True, nogil=True, fastmath=FAST)
def scores_columns(start, stop, X, chosen, w, b, out):
    """The same for a matrix in Fortran's order."""
    out[start:stop] = b
    for k in range(chosen.size):
        j, coefficient = chosen[k], w[k]
        for i in range(start, stop):
            out[i] += coefficient * X[i, j]


@njit(cache=True, nogil=True)
def slopes(start, stop, kind, p, mu, y, s, scores, z, r):
    """Weighted slopes, and those foreseen below and above 0, as the three rows of r; the sums of `judging.judge`."""
    sums, (part, spare) = np.zeros(SUMS), room(ROWS)
    for first in range(start, stop, ROWS):
        count = min(ROWS, stop - first)
        judge(first, count, kind, p, mu, y, s, scores[first:stop], z, part, spare, sums)
        r[:, first : first + count] = part[:, :count]
    return sums


@njit(cache=True, nogil=True, fastmath=FAST)
def products_rows(start, stop, X, r):
    """Xᵀr of some rows, for the three rows of r; four rows at a time, so that sums are seldom stored."""
    columns = X.shape[1]
    out = np.zeros((3, columns))
    one, low, high = out[0], out[1], out[2]
    last = stop - (stop - start) % 4
    for i in range(start, last, 4):
        a, b, c, d = r[:, i], r[:, i + 1], r[:, i + 2], r[:, i + 3]
        for j in range(columns):
            x, xx, xxx, xxxx = X[i, j], X[i + 1, j], X[i + 2, j], X[i + 3, j]
            one[j] += a[0] * x + b[0] * xx + c[0] * xxx + d[0] * xxxx
            low[j] += a[1] * x + b[1] * xx + c[1] * xxx + d[1] * xxxx
            high[j] += a[2] * x + b[2] * xx + c[2] * xxx + d[2] * xxxx
    for i in range(last, stop):
        for j in range(columns):
            x = X[i, j]
            one[j] += r[0, i] * x
            low[j] += r[1, i] * x
            high[j] += r[2, i] * x
    return out


@njit(cache=True, nogil=True, fastmath=FAST)
def products_columns(first, last, X, r, out):
    """Xᵀr of some columns, for a matrix in Fortran's order."""
    one, low, high = r[0], r[1], r[2]
    for j in range(first, last):
        a, b, c = 0.0, 0.0, 0.0
        for i in range(X.shape[0]):
            x = X[i, j]
            a += one[i] * x
            b += low[i] * x
            c += high[i] * x
        out[0, j], out[1, j], out[2, j] = a, b, c
