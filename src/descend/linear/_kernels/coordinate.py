"""Kernels of coordinate descent: the working set's columns, its Gram matrix, and the descent on it."""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH
from descend.linear._kernels.prefetching import ROWS_AHEAD, prefetch


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def chosen_rows(start, stop, X, chosen, centre, unit, roots, out):
    """A one and the chosen columns, centred and in units, of each row times its root: for a Gram matrix."""
    for i in range(start, stop):
        root = roots[i]
        out[i - start, 0] = root
        for k in range(chosen.size):
            j = chosen[k]
            if i + ROWS_AHEAD < X.shape[0]:
                prefetch(X, i + ROWS_AHEAD, j)
            out[i - start, k + 1] = root * (X[i, j] - centre[j]) * unit[j]


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def gram(start, stop, data, indices, indptr, h, place, unit, size):
    """Σ h (1, x)(1, x)ᵀ over rows of the chosen columns in units; `place`: where each column goes, 0 if nowhere."""
    out = np.zeros((size, size))
    where, values = np.empty(size, np.int64), np.empty(size)
    where[0], values[0] = 0, 1.0
    for i in range(start, stop):
        weight, count = h[i], 1
        if weight == 0:
            continue
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if place[j]:
                where[count], values[count] = place[j], data[k] * unit[j]
                count += 1
        for k in range(count):
            a, x = where[k], weight * values[k]
            for m in range(count):
                out[a, where[m]] += x * values[m]
    return out


@njit(cache=True, nogil=True)
def counts(indices, columns):
    """How many numbers each column of compressed rows holds."""
    out = np.zeros(columns, np.int64)
    for k in range(indices.size):
        out[np.uint64(indices[k])] += 1
    return out


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def descend(H, g, v, lower, upper, still, cycles, enough):
    """Cycles of exact steps along one coordinate after another of gᵀ(·) + ½(·)ᵀH(·) and penalties, in place; `lower`,
    `upper`: the penalties' slopes at 0.

    Coordinates of a curvature of at most `still` stay where they are. It ends when no gradient in a cycle changes by
    more than `enough` by its own coordinate's step; the greatest of these in the last cycle is returned.
    """
    greatest = 0.0
    for _ in range(cycles):
        greatest = 0.0
        for j in range(v.size):
            curvature = H[j, j]
            if curvature <= still:
                continue
            aim = v[j] - g[j] / curvature
            after = aim - min(max(aim, lower[j] / curvature), upper[j] / curvature)
            step = after - v[j]
            if step == 0:
                continue
            v[j] = after
            greatest = max(greatest, abs(step) * curvature)
            # The gradient is kept for all coordinates; a row of H is read, as the matrix is symmetric.
            for i in range(v.size):
                g[i] += step * H[j, i]
        if greatest <= enough:
            break
    return greatest
