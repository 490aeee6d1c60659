"""Kernels of dual coordinate ascent for the multinomial loss: a row's point of the simplex is made the best for others.

With the coefficients W = −Σ s x (p − e_y)ᵀ / l2 at hand, and a = s ‖x‖² / l2, the dual is greatest in one point p⁺ at

    p⁺ = argmin Σ p log p − Σ c p + a Σ p²/2,  c = z + a p,

whose scores are those that its own change leaves: p⁺ = softmax(c − a p⁺). See
`descend.linear.solvers.multinomial_sdca`.
"""

from math import exp, log

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH, weight_of
from descend.linear._kernels.multinomial import softmax

# At most so many for a row's point, which takes one to five.
NEWTON_STEPS = 50
# A step's square, times the number it led to: about the error that is left in that.
STEP_TOL = 1e-6
LOG_FLOOR = 1e-290


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def renewed(z, a, p, t, q):
    """The best point, in q, where it is p and the scores are z: Newton's steps for t = log q and the multiplier of Σ q.

    They begin at a mean of softmax(z), which is the answer for small a, and p, which is it for great ones.
    """
    softmax(z, q)
    for c in range(z.size):
        q[c] = max((q[c] + a * p[c]) / (1 + a), LOG_FLOOR)
        t[c] = log(q[c])
    # Of log q, as steps of q itself would leave the simplex; they are cut off, as an exponential grows too fast for the
    # first ones.
    for _ in range(NEWTON_STEPS):
        top, bottom = -1.0, 0.0
        for c in range(z.size):
            share = q[c] / (1 + a * q[c])
            top += q[c] + share * (z[c] - t[c] + a * (p[c] - q[c]))
            bottom += share
        level, longest = top / bottom, 0.0
        for c in range(z.size):
            move = (z[c] - t[c] + a * (p[c] - q[c]) - level) / (1 + a * q[c])
            t[c] += min(max(move, -4.0), 2.0)
            q[c] = max(exp(t[c]), LOG_FLOOR)
            longest = max(longest, move * move * q[c])
        if longest <= STEP_TOL:
            break
    # What is left of the last step's error is taken out of the sum, which must be 1 for a bound.
    total = 0.0
    for c in range(z.size):
        total += q[c]
    for c in range(z.size):
        q[c] /= total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
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


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
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


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
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


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def slopes(start, stop, y, s, P, R):
    """The weighted slopes s (p − e_y) of rows; gives Σ s Σ p log p."""
    conjugate = 0.0
    for i in range(start, stop):
        weight = weight_of(s, i)
        for c in range(P.shape[1]):
            R[i, c] = weight * P[i, c]
            conjugate += R[i, c] * log(P[i, c]) if P[i, c] > 0 else 0.0
        R[i, y[i]] -= weight
    return (conjugate,)
