"""Products with a matrix alone: of its centred rows with coefficients, and of numbers by row with its centred rows."""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH
from descend.linear._kernels.dense import CACHED_ENTRIES
from descend.linear._kernels.sparse import add_row, score_rows


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scores_rows(start, stop, X, w, b, centre, z):
    """z = (X − centre) w + b."""
    for i in range(start, stop):
        score = 0.0
        for j in range(w.size):
            score += (X[i, j] - centre[j]) * w[j]
        z[i] = score + b


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sums_rows(start, stop, X, v, centre):
    """Σ v (x − centre), and Σ v."""
    g, total = np.zeros(centre.size), 0.0
    for i in range(start, stop):
        factor = v[i]
        total += factor
        for j in range(centre.size):
            g[j] += factor * (X[i, j] - centre[j])
    return g, total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scores_columns(start, stop, X, w, b, centre, z):
    """The same as `scores_rows` for a matrix in Fortran's order."""
    step = max(16, min(4096, CACHED_ENTRIES // max(w.size, 1)))
    for first in range(start, stop, step):
        last = min(first + step, stop)
        z[first:last] = b
        for j in range(w.size):
            coefficient, middle = w[j], centre[j]
            for i in range(first, last):
                z[i] += coefficient * (X[i, j] - middle)


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sums_columns(start, stop, X, v, centre):
    """The same as `sums_rows` for a matrix in Fortran's order."""
    g, total = np.zeros(centre.size), 0.0
    for i in range(start, stop):
        total += v[i]
    for j in range(centre.size):
        one, middle = 0.0, centre[j]
        for i in range(start, stop):
            one += v[i] * (X[i, j] - middle)
        g[j] = one
    return g, total


@njit(cache=True, nogil=True)
def scores_sparse(start, stop, data, indices, indptr, w, b, z):
    """z = Xw + b of compressed rows."""
    score_rows(start, stop - start, data, indices, indptr, w, b, z[start:stop])


@njit(cache=True, nogil=True)
def sums_sparse(start, stop, data, indices, indptr, v, columns):
    """Σ v x of compressed rows, and Σ v."""
    g, total = np.zeros(columns), 0.0
    for i in range(start, stop):
        total += v[i]
        add_row(v[i], data, indices, indptr[i], indptr[i + 1], g)
    return g, total
