"""Kernels for a sparse matrix in compressed rows: one pass over it gives scores, loss and gradient together.

Rows are short, and vector instructions that gather their numbers cost more than they save: products with rows are
compiled without leave to make them. Indices are read as unsigned numbers: there are no negative ones to look for.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH, SUMS_OF_A_PASS, evaluate_rows, room, weight_of

# How many rows are evaluated together.
BLOCK_ROWS = 1024


@njit(cache=True, nogil=True)
def sweep(start, stop, data, indices, indptr, w, b, place, p, mu, y, s, offset, z, with_dual):
    """One pass over rows: see `Matrix.sweep`."""
    scores, (r, spare) = np.empty(BLOCK_ROWS), room(BLOCK_ROWS, with_dual)
    out, sums = np.zeros((r.shape[0], w.size)), np.zeros(SUMS_OF_A_PASS)
    for first in range(start, stop, BLOCK_ROWS):
        count = min(BLOCK_ROWS, stop - first)
        score_rows(first, count, data, indices, indptr, w, b, scores)
        evaluate_rows(place, first, count, p, mu, y, s, offset, scores, z, r, spare, sums)
        for i in range(count):
            add_row(r[0, i], data, indices, indptr[first + i], indptr[first + i + 1], out[0])
        if with_dual:
            for i in range(count):
                side = 2 if r[2, i] > 0 else 1
                add_row(r[side, i], data, indices, indptr[first + i], indptr[first + i + 1], out[side])
    return sums, out


@njit(cache=True, nogil=True)
def score_rows(first, count, data, indices, indptr, w, b, out):
    """The scores of some rows."""
    for i in range(count):
        score = b
        for k in range(indptr[first + i], indptr[first + i + 1]):
            score += data[k] * w[np.uint64(indices[k])]
        out[i] = score


@njit(cache=True, nogil=True)
def add_row(factor, data, indices, first, last, out):
    """Add a row times a factor."""
    for k in range(first, last):
        out[np.uint64(indices[k])] += factor * data[k]


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def moments(start, stop, data, indices, indptr, s, columns):
    """Of each column the weighted sum and sum of squares, and the greatest magnitude."""
    # A column's numbers side by side, in one line of the cache.
    out = np.zeros((columns, 3))
    for i in range(start, stop):
        weight = weight_of(s, i)
        for k in range(indptr[i], indptr[i + 1]):
            j, x = np.uint64(indices[k]), np.float64(data[k])
            out[j, 0] += weight * x
            out[j, 1] += weight * x * x
            out[j, 2] = max(out[j, 2], abs(x))
    return out[:, 0], out[:, 1], out[:, 2]


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def add_gram(start, stop, data, indices, indptr, h, out):
    """Add Σ h x xᵀ over rows x with a one at their end to the lower triangle of `out`."""
    last = np.uint64(out.shape[0] - 1)
    for i in range(start, stop):
        weight = h[i - start]
        if weight == 0:
            continue
        out[last, last] += weight
        for k in range(indptr[i], indptr[i + 1]):
            j, x = np.uint64(indices[k]), weight * data[k]
            out[last, j] += x
            for m in range(indptr[i], k + 1):
                other = np.uint64(indices[m])
                out[max(j, other), min(j, other)] += x * data[m]


@njit(cache=True, nogil=True)
def gathered(data, indices, place, columns, greatest, count, out):
    """The places of columns among those that were seen, which new ones join until there is no more room.

    `place`: of each column, or −1; `columns`, `greatest`: the columns in the order in which they came, `count` of them,
    and the greatest magnitude of each. Gives the new count, or −1 if room was wanting.
    """
    for k in range(indices.size):
        j = indices[k]
        if place[j] < 0:
            if count == columns.size:
                return -1
            place[j], columns[count] = count, j
            count += 1
        out[k] = place[j]
        greatest[place[j]] = max(greatest[place[j]], abs(np.float64(data[k])))
    return count
