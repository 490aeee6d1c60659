"""Rows one after the other: an adaptive step for each, as it comes."""

import numpy as np
from numba import njit

from descend.linear._kernels.dense import weight_of
from descend.linear._kernels.losses import curvature, slope

RATE = 0.5  # the first step of a coefficient, in units of its column's greatest magnitude


@njit(cache=True, nogil=True)
def step_rows(data, indices, indptr, kind, p, mu, y, s, w, b, squares, greatest, intercept):
    """Step coefficients `w` and intercept `b` (an array of one) at each row of a sparse matrix.

    A step moves each coefficient by RATE/greatest · r x / √Σ(r x)²; all are shortened where they would carry the row's
    score beyond the point at which its loss is flat, or the slope's unit if it is flat nowhere. So neither the units of
    the columns nor one great row matter much. `squares` and `greatest` have the intercept's entry last.
    """
    loss = 0.0
    for i in range(indptr.size - 1):
        score = b[0]
        for k in range(indptr[i], indptr[i + 1]):
            score += data[k] * w[indices[k]]
        weight = weight_of(s, i)
        r = slope(kind, p, mu, score, y[i])
        if weight == 0 or r == 0:
            continue
        # How far the score would move, by all coefficients together.
        moved = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j, x = indices[k], data[k]
            greatest[j] = max(greatest[j], abs(x))
            squares[j] += weight * (r * x) ** 2
            if squares[j] > 0:
                moved += RATE * weight * r * x * x / (greatest[j] * np.sqrt(squares[j]))
        if intercept:
            squares[-1] += weight * r * r
            moved += RATE * weight * r / np.sqrt(squares[-1])
        bend = curvature(kind, p, mu, score, y[i])
        most = abs(r) / bend if bend > 1e-3 * abs(r) else 1.0
        share = min(1.0, most / abs(moved)) if moved != 0 else 1.0
        for k in range(indptr[i], indptr[i + 1]):
            j, x = indices[k], data[k]
            if squares[j] > 0:
                w[j] -= share * RATE * weight * r * x / (greatest[j] * np.sqrt(squares[j]))
        if intercept:
            b[0] -= share * RATE * weight * r / np.sqrt(squares[-1])
    return loss
