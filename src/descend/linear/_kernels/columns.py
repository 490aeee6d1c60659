"""Products of rows x̃ = ((x − centre)·unit, 1), as `multinomial` has them, with a matrix of several columns."""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH
from descend.linear._kernels.multinomial import ONE_CORE_PRODUCT, written


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scores_sparse(start, stop, data, indices, indptr, unit, V, Z):
    """Z = x̃ᵀV of sparse rows. Indices are read as unsigned numbers: there are no negative ones to look for."""
    last, columns = V.shape[0] - 1, V.shape[1]
    z = np.empty(columns)
    for i in range(start, stop):
        z[:] = V[last]
        for k in range(indptr[i], indptr[i + 1]):
            j = np.uint64(indices[k])
            x = data[k] * unit[j]
            for c in range(columns):
                z[c] += x * V[j, c]
        Z[i] = z


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scores_dense(start, stop, X, in_columns, centre, unit, V, Z):
    """The same for dense rows."""
    width, columns = V.shape
    step = max(8, min(stop - start, ONE_CORE_PRODUCT // (width * columns)))
    block = np.empty((step, width))
    for first in range(start, stop, step):
        last = min(first + step, stop)
        written(first, last, X, in_columns, centre, unit, block)
        np.dot(block[: last - first], V, out=Z[first:last])


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sums_sparse(start, stop, data, indices, indptr, unit, R):
    """Σ x̃ rᵀ of sparse rows."""
    columns = R.shape[1]
    out = np.zeros((unit.size + 1, columns))
    for i in range(start, stop):
        for k in range(indptr[i], indptr[i + 1]):
            j = np.uint64(indices[k])
            x = data[k] * unit[j]
            for c in range(columns):
                out[j, c] += x * R[i, c]
        for c in range(columns):
            out[unit.size, c] += R[i, c]
    return out


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sums_dense(start, stop, X, in_columns, centre, unit, R):
    """The same for dense rows."""
    width, columns = unit.size + 1, R.shape[1]
    out = np.zeros((width, columns))
    step = max(8, min(stop - start, ONE_CORE_PRODUCT // (width * columns)))
    block = np.empty((step, width))
    for first in range(start, stop, step):
        last = min(first + step, stop)
        written(first, last, X, in_columns, centre, unit, block)
        out += np.dot(block[: last - first].T, R[first:last])
    return out
