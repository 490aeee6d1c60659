"""Kernels of dual coordinate ascent for the multinomial loss: a row's point of the simplex is made the best for others.

With the coefficients W = −Σ s x (p − e_y)ᵀ / l2 at hand, and a = s ‖x‖² / l2, the dual is greatest in one point p⁺ at

    p⁺ = argmin Σ p log p − Σ c p + a Σ p²/2,  c = z + a p,

whose scores are those that its own change leaves: p⁺ = softmax(c − a p⁺). See `descend.linear._simplex`.
"""

from math import exp, log

import numpy as np
from numba import njit

from descend.linear._kernels.judging import FAST, weight_of
from descend.linear._kernels.multinomial import PRODUCT, softmax, written

NEWTON = 50  # steps at most for a row's point, which takes one to five
NEAR = 1e-3  # of a point's numbers: after a step as short, the error that is left is of its square
TINY = 1e-290


@njit(cache=True, nogil=True, fastmath=FAST)
def renewed(z, a, p, t, q):
    """The best point, in q, where it is p and the scores are z: Newton's steps for t = log q and the multiplier of Σ q.

    They begin at a mean of softmax(z), which is the answer for small a, and p, which is it for great ones.
    """
    softmax(z, q)
    for c in range(z.size):
        q[c] = max((q[c] + a * p[c]) / (1 + a), TINY)
        t[c] = log(q[c])
    for _ in range(NEWTON):
        top, bottom = -1.0, 0.0
        for c in range(z.size):
            share = q[c] / (1 + a * q[c])
            top += q[c] + share * (z[c] - t[c] + a * (p[c] - q[c]))
            bottom += share
        level, longest = top / bottom, 0.0
        for c in range(z.size):
            move = (z[c] - t[c] + a * (p[c] - q[c]) - level) / (1 + a * q[c])
            t[c] += min(max(move, -4.0), 2.0)
            q[c] = max(exp(t[c]), TINY)
            longest = max(longest, abs(move) * q[c])
        if longest <= NEAR:
            break
    total = 0.0
    for c in range(z.size):
        total += q[c]
    for c in range(z.size):
        q[c] /= total


@njit(cache=True, nogil=True, fastmath=FAST)
def moved(a, weight, bias, p, q, b):
    """Put the new point q in the place of p, and its weighted change, negated, into q; gives s a Σ (change)²."""
    gain = 0.0
    for c in range(b.size):
        change = q[c] - p[c]
        p[c] = q[c]
        gain += change * change
        q[c] = -weight * change
        b[c] += bias * q[c]
    return weight * a * gain


@njit(cache=True, nogil=True, fastmath=FAST)
def epoch_sparse(data, indices, indptr, s, inverse, bias, norms, rows, P, W, b):
    """Renew the points of `rows`, one after the other, and with them W and b; gives Σ s a (change)².

    Indices are read as unsigned numbers: negative ones, which Python would count from the end, there are none of.
    """
    classes, gain = b.size, 0.0
    z, t, q = np.empty(classes), np.empty(classes), np.empty(classes)
    for i in rows:
        z[:] = b
        for k in range(indptr[i], indptr[i + 1]):
            j, x = np.uint64(indices[k]), data[k]
            for c in range(classes):
                z[c] += x * W[j, c]
        weight = weight_of(s, i)
        a = weight * norms[i]
        renewed(z, a, P[i], t, q)
        gain += moved(a, weight, bias, P[i], q, b)
        for k in range(indptr[i], indptr[i + 1]):
            j = np.uint64(indices[k])
            x = data[k] * weight_of(inverse, j)
            for c in range(classes):
                W[j, c] += x * q[c]
    return gain


@njit(cache=True, nogil=True, fastmath=FAST)
def epoch_dense(X, centre, s, inverse, bias, norms, rows, P, W, b):
    """The same for dense rows, which are centred."""
    classes, gain = b.size, 0.0
    z, t, q = np.empty(classes), np.empty(classes), np.empty(classes)
    for i in rows:
        z[:] = b
        for j in range(centre.size):
            x = X[i, j] - centre[j]
            for c in range(classes):
                z[c] += x * W[j, c]
        weight = weight_of(s, i)
        a = weight * norms[i]
        renewed(z, a, P[i], t, q)
        gain += moved(a, weight, bias, P[i], q, b)
        for j in range(centre.size):
            x = (X[i, j] - centre[j]) * weight_of(inverse, j)
            for c in range(classes):
                W[j, c] += x * q[c]
    return gain


@njit(cache=True, nogil=True, fastmath=FAST)
def scores_sparse(start, stop, data, indices, indptr, unit, V, z):
    """Scores of sparse rows, whose columns are in units."""
    last, classes = V.shape[0] - 1, V.shape[1]
    for i in range(start, stop):
        z[i] = V[last]
        for k in range(indptr[i], indptr[i + 1]):
            j, x = np.uint64(indices[k]), data[k] * unit[indices[k]]
            for c in range(classes):
                z[i, c] += x * V[j, c]


@njit(cache=True, nogil=True, fastmath=FAST)
def scores_dense(start, stop, X, in_columns, centre, unit, V, z):
    """The same for dense rows, which are centred, too."""
    width, classes = V.shape
    step = max(8, min(stop - start, PRODUCT // (width * classes)))
    block = np.empty((step, width))
    for first in range(start, stop, step):
        last = min(first + step, stop)
        written(first, last, X, in_columns, centre, unit, block)
        np.dot(block[: last - first], V, out=z[first:last])


@njit(cache=True, nogil=True, fastmath=FAST)
def sums_sparse(start, stop, data, indices, indptr, unit, y, s, P):
    """Σ s x̃ (p − e_y)ᵀ and Σ s Σ p log p."""
    classes = P.shape[1]
    out, conjugate, r = np.zeros((unit.size + 1, classes)), 0.0, np.empty(classes)
    for i in range(start, stop):
        conjugate += slopes(P[i], y[i], weight_of(s, i), r)
        for k in range(indptr[i], indptr[i + 1]):
            j, x = np.uint64(indices[k]), data[k] * unit[indices[k]]
            for c in range(classes):
                out[j, c] += x * r[c]
        for c in range(classes):
            out[unit.size, c] += r[c]
    return out, conjugate


@njit(cache=True, nogil=True, fastmath=FAST)
def sums_dense(start, stop, X, in_columns, centre, unit, y, s, P):
    """The same for dense rows."""
    width, classes = unit.size + 1, P.shape[1]
    out, conjugate = np.zeros((width, classes)), 0.0
    step = max(8, min(stop - start, PRODUCT // (width * classes)))
    block, r = np.empty((step, width)), np.empty((step, classes))
    for first in range(start, stop, step):
        count = min(step, stop - first)
        written(first, first + count, X, in_columns, centre, unit, block)
        for i in range(count):
            conjugate += slopes(P[first + i], y[first + i], weight_of(s, first + i), r[i])
        out += np.dot(block[:count].T, r[:count])
    return out, conjugate


@njit(cache=True, nogil=True, fastmath=FAST)
def slopes(p, y, weight, r):
    """A row's weighted slopes; gives s Σ p log p."""
    conjugate = 0.0
    for c in range(p.size):
        r[c] = weight * p[c]
        conjugate += r[c] * log(p[c]) if p[c] > 0 else 0.0
    r[y] -= weight
    return conjugate
