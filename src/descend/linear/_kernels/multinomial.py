"""Kernels of the multinomial logistic loss: a row has one score for each class, and its slopes are probabilities.

Columns are seen centred and in units, x̃ = ((x − centre)·unit, 1), and coefficients lie with the classes of a column
beside each other, so that one number of X meets contiguous numbers. Blocks of dense rows are written out and multiplied
by BLAS; of sparse rows each stored number is taken as it comes.
"""

from math import exp, log

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH, weight_of

# Multiplications of one call of BLAS: so few it makes on one core, and threads do not wait for it.
ONE_CORE_PRODUCT = 2**18


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def softmax(z, p):
    """p ← exp(z)/Σ exp(z); gives log Σ exp(z)."""
    greatest, total = z.max(), 0.0
    for c in range(z.size):
        p[c] = exp(z[c] - greatest)
        total += p[c]
    for c in range(z.size):
        p[c] /= total
    return greatest + log(total)


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def evaluated(z, old, y, weight, with_dual, r, f):
    """Loss of a row's scores z, Σ p log p of its dual point p, and the weighted slopes: r of z, f of p.

    p are the probabilities of z, or with `with_dual` those that were foreseen at the old scores:
    p(old) + (diag p − p pᵀ)(z − old), without what is below 0. z is kept in `old`.
    """
    conjugate, total = 0.0, 0.0
    if with_dual:
        softmax(old, f)
        mean = 0.0
        for c in range(z.size):
            mean += f[c] * (z[c] - old[c])
        for c in range(z.size):
            f[c] = max(f[c] * (1 + z[c] - old[c] - mean), 0.0)
            total += f[c]
    level = softmax(z, r)
    for c in range(z.size):
        if with_dual:
            f[c] /= total
            conjugate += f[c] * log(f[c]) if f[c] > 0 else 0.0
            f[c] *= weight
        else:
            conjugate += r[c] * (z[c] - level)
        old[c] = z[c]
        r[c] *= weight
    r[y] -= weight
    f[y] -= weight
    return weight * (level - z[y]), weight * conjugate


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sweep_sparse(start, stop, data, indices, indptr, unit, V, y, s, with_dual, z):
    """One pass over sparse rows: see `MultinomialProblem`."""
    last, classes = V.shape[0] - 1, V.shape[1]
    sums, G, Q = np.zeros(2), np.zeros(V.shape), np.zeros((V.shape[0] if with_dual else 0, classes))
    score, r, f = np.empty(classes), np.empty(classes), np.empty(classes)
    for i in range(start, stop):
        score[:] = V[last]
        for k in range(indptr[i], indptr[i + 1]):
            j, x = indices[k], data[k] * unit[indices[k]]
            for c in range(classes):
                score[c] += x * V[j, c]
        loss, conjugate = evaluated(score, z[i], y[i], weight_of(s, i), with_dual, r, f)
        sums[0] += loss
        sums[1] += conjugate
        for k in range(indptr[i], indptr[i + 1]):
            j, x = indices[k], data[k] * unit[indices[k]]
            for c in range(classes):
                G[j, c] += x * r[c]
            if with_dual:
                for c in range(classes):
                    Q[j, c] += x * f[c]
        for c in range(classes):
            G[last, c] += r[c]
            if with_dual:
                Q[last, c] += f[c]
    return sums, G, Q


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def written(start, stop, X, in_columns, centre, unit, out):
    """Dense rows centred, in units, with a one at their end."""
    columns = X.shape[1]
    if in_columns:
        for j in range(columns):
            for i in range(start, stop):
                out[i - start, j] = (X[i, j] - centre[j]) * unit[j]
    else:
        for i in range(start, stop):
            for j in range(columns):
                out[i - start, j] = (X[i, j] - centre[j]) * unit[j]
    out[: stop - start, columns] = 1.0


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sweep_dense(start, stop, X, in_columns, centre, unit, V, y, s, with_dual, z):
    """The same for dense rows."""
    width, classes = V.shape
    sums, G, Q = np.zeros(2), np.zeros(V.shape), np.zeros((width if with_dual else 0, classes))
    step = max(8, min(stop - start, ONE_CORE_PRODUCT // (width * classes)))
    block, score = np.empty((step, width)), np.empty((step, classes))
    r, f = np.empty((step, classes)), np.empty((step, classes))
    for first in range(start, stop, step):
        count = min(step, stop - first)
        written(first, first + count, X, in_columns, centre, unit, block)
        rows = block[:count]
        np.dot(rows, V, out=score[:count])
        for i in range(count):
            k = first + i
            loss, conjugate = evaluated(score[i], z[k], y[k], weight_of(s, k), with_dual, r[i], f[i])
            sums[0] += loss
            sums[1] += conjugate
        G += np.dot(rows.T, r[:count])
        if with_dual:
            Q += np.dot(rows.T, f[:count])
    return sums, G, Q


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def probabilities(start, stop, y, s, z, p):
    """Loss of the scores, and their probabilities in p, which may be z."""
    loss = 0.0
    for i in range(start, stop):
        own = z[i, y[i]]
        loss += weight_of(s, i) * (softmax(z[i], p[i]) - own)
    return (loss,)


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def tilted(start, stop, factor, s, p):
    """Of q, p times the factors of the classes and divided by its sum: Σ s log(that sum), Σ s q and Σ s q qᵀ."""
    classes = factor.size
    level, first, second, q = 0.0, np.zeros(classes), np.zeros((classes, classes)), np.empty(classes)
    for i in range(start, stop):
        weight, total = weight_of(s, i), 0.0
        for c in range(classes):
            q[c] = p[i, c] * factor[c]
            total += q[c]
        level += weight * log(total)
        for c in range(classes):
            q[c] /= total
        for a in range(classes):
            share = weight * q[a]
            first[a] += share
            for b in range(classes):
                second[a, b] += share * q[b]
    return level, first, second


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def tilt(start, stop, factor, p):
    """p ← p times the factors of the classes, divided by its sum."""
    for i in range(start, stop):
        total = 0.0
        for c in range(factor.size):
            p[i, c] *= factor[c]
            total += p[i, c]
        for c in range(factor.size):
            p[i, c] /= total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def sparse_rows(start, stop, data, indices, indptr, unit, out):
    """Sparse rows written out, in units, with a one at their end."""
    for i in range(start, stop):
        out[i - start] = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            out[i - start, indices[k]] += data[k] * unit[indices[k]]
        out[i - start, unit.size] = 1.0


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def curvatures(start, stop, s, z, out):
    """s (δₖₗ pₖ − pₖ pₗ) of each row, for pairs of a class with itself and those before it."""
    classes = z.shape[1]
    p = np.empty(classes)
    for i in range(start, stop):
        softmax(z[i], p)
        weight, at = weight_of(s, i), 0
        for k in range(classes):
            share = weight * p[k]
            for c in range(k + 1):
                out[i - start, at + c] = -share * p[c]
            at += k + 1
            out[i - start, at - 1] += share


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def crossed(rows, begin, end, out):
    """Products of the columns from `begin` to `end` with themselves and those before them, of each row."""
    for i in range(rows.shape[0]):
        at = 0
        for j in range(begin, end):
            x = rows[i, j]
            for k in range(j + 1):
                out[i, at + k] = x * rows[i, k]
            at += j + 1
