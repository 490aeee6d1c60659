"""Kernels for a dense matrix of many columns, in two passes: the scores, from the coefficients that are not 0, and then
the gradient. A single pass would go over columns in pieces too short for vector instructions, or read what is times 0.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH, SUMS_OF_A_PASS, evaluate_rows, room
from descend.linear._kernels.dense import add_rows, add_rows_once

# How many rows are evaluated together.
BLOCK_ROWS = 1024


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scores_rows(start, stop, X, chosen, w, b, out):
    """Scores of rows from the chosen columns and their coefficients."""
    for i in range(start, stop):
        score = b
        for k in range(chosen.size):
            score += X[i, chosen[k]] * w[k]
        out[i] = score


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scores_columns(start, stop, X, chosen, w, b, out):
    """The same for a matrix in Fortran's order."""
    out[start:stop] = b
    for k in range(chosen.size):
        j, coefficient = chosen[k], w[k]
        for i in range(start, stop):
            out[i] += coefficient * X[i, j]


@njit(cache=True, nogil=True)
def slopes(start, stop, place, p, mu, y, s, offset, scores, z, r):
    """Weighted slopes, and perhaps those foreseen below and above 0, as the rows of r; and the sums of a pass."""
    sums, (part, spare) = np.zeros(SUMS_OF_A_PASS), room(BLOCK_ROWS, r.shape[0] > 1)
    for first in range(start, stop, BLOCK_ROWS):
        count = min(BLOCK_ROWS, stop - first)
        evaluate_rows(place, first, count, p, mu, y, s, offset, scores[first:stop], z, part, spare, sums)
        r[:, first : first + count] = part[:, :count]
    return sums


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def products_rows(start, stop, X, r):
    """Xᵀr of some rows, for the rows of r, of which there are three or one."""
    columns = X.shape[1]
    out = np.zeros((r.shape[0], columns))
    last = stop - (stop - start) % 4
    for i in range(start, last, 4):
        if r.shape[0] > 1:
            add_rows(i, X, r[0, i : i + 4], r[1, i : i + 4], r[2, i : i + 4], out[0], out[1], out[2])
        else:
            add_rows_once(i, X, r[0, i : i + 4], out[0])
    for i in range(last, stop):
        for k in range(r.shape[0]):
            factor = r[k, i]
            for j in range(columns):
                out[k, j] += factor * X[i, j]
    return out


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def products_columns(first, last, X, r, out):
    """Xᵀr of some columns, for a matrix in Fortran's order."""
    for j in range(first, last):
        for k in range(r.shape[0]):
            total = 0.0
            for i in range(X.shape[0]):
                total += r[k, i] * X[i, j]
            out[k, j] = total
