"""Kernels of dual coordinate ascent: one slope after the other is made the best, the others being held.

With the coefficients w = −Σ s r x / l2 at hand, and a = s ‖x‖² / l2, the dual is greatest in one slope r at

    r⁺ = argmin_r' ℓ*(r') − c r' + a r'²/2,  c = z + a r

which is the slope at c of the loss smoothed by a. See `descend.linear._dual`.
"""

from math import exp, log

import numpy as np
from numba import njit

from descend.linear._kernels.judging import FAST, weight_of
from descend.linear._kernels.losses import (
    LOGISTIC,
    SQUARED,
    SQUARED_HINGE,
    SQUARED_INSENSITIVE,
    _beyond,
    conjugate,
    slope,
    value,
)

NEWTON = 60  # steps at most for the slope of a logistic loss, which takes two or three
STEEP = 4.0


@njit(cache=True, nogil=True)
def best(kind, p, a, c, y):
    """The best slope of a row."""
    if kind == SQUARED:
        return (c - y) / (1 + a)
    if kind == SQUARED_HINGE:
        return -y * max(1 - y * c, 0.0) / (a + 0.5)
    if kind == SQUARED_INSENSITIVE:
        return _beyond(c - y, p) / (a + 0.5)
    return slope(kind, p, a, c, y)


@njit(cache=True, nogil=True)
def best_logistic(a, c, y, z):
    """The best slope of a row of the logistic loss, −yσ(t): t + yc + a σ(t) = 0 by Newton's method between bounds.

    Where a is great, σ is steep, and the steps are those for log(a σ(t)) = log(−t − yc), which is nearly straight.
    """
    margin = y * c
    low, high, t = -margin - a, -margin, -y * z
    if not low < t < high:
        t = 0.5 * (low + high)
    for _ in range(NEWTON):
        share = 1 / (1 + exp(-t))
        error, bend = t + margin + a * share, 1 + a * share * (1 - share)
        if error > 0:
            high = t
        else:
            low = t
        if a > STEEP and -margin > t:
            error, bend = log(a * share / (-margin - t)), 1 - share + 1 / (-margin - t)
        move = -error / bend
        if abs(move) <= 1e-4 or t + move == t:
            t += move
            break  # the error that is left is of the move's square
        t = t + move if low < t + move < high else 0.5 * (low + high)
    return -y / (1 + exp(-t))


@njit(cache=True, inline="always")
def _renewed(kind, p, a, y, z, r):
    return best_logistic(a, z + a * r, y, z) if kind == LOGISTIC else best(kind, p, a, z + a * r, y)


@njit(cache=True, inline="always")
def _settled(kind, p, a, y, z, r, margin):
    """Whether a slope would stay as it is if its score were another by no more than `margin`."""
    c = z + a * r
    return kind != LOGISTIC and best(kind, p, a, c - margin, y) == r and best(kind, p, a, c + margin, y) == r


@njit(cache=True, nogil=True)
def shuffle(rows, count, state):
    """Put the first `count` of the rows into a random order, by Marsaglia's xorshift generator, whose state is kept."""
    drawn = state[0]
    for i in range(count - 1, 0, -1):
        drawn ^= drawn << np.uint64(13)
        drawn ^= drawn >> np.uint64(7)
        drawn ^= drawn << np.uint64(17)
        j = np.int64(drawn % np.uint64(i + 1))
        rows[i], rows[j] = rows[j], rows[i]
    state[0] = drawn


@njit(cache=True, nogil=True, fastmath=FAST)
def epoch_sparse(data, indices, indptr, kind, p, y, s, inverse, bias, norms, margin, rows, count, r, w, b):
    """Renew the slopes of the first `count` of `rows`.

    Rows that are settled by more than `margin` are put behind the others. Gives how many others there are, the
    intercept, Σ s a Δr², and the greatest a·abs(Δr). Indices are read as unsigned numbers, as negative ones, which
    Python would count from the end, need not be looked for.
    """
    gain, greatest, k = 0.0, 0.0, 0
    while k < count:
        i = rows[k]
        weight = weight_of(s, i)
        z, a = b, weight * norms[i]
        for m in range(indptr[i], indptr[i + 1]):
            z += data[m] * w[np.uint64(indices[m])]
        after = _renewed(kind, p, a, y[i], z, r[i])
        change = after - r[i]
        if change == 0 and _settled(kind, p, a, y[i], z, after, margin):
            count -= 1
            rows[k], rows[count] = rows[count], i
            continue
        k += 1
        if change == 0:
            continue
        r[i] = after
        gain += weight * a * change * change
        greatest = max(greatest, a * abs(change))
        change *= -weight
        b += bias * change
        if inverse.size == 1:
            change *= inverse[0]
            for m in range(indptr[i], indptr[i + 1]):
                w[np.uint64(indices[m])] += change * data[m]
        else:
            for m in range(indptr[i], indptr[i + 1]):
                w[np.uint64(indices[m])] += change * inverse[indices[m]] * data[m]
    return count, b, gain, greatest


@njit(cache=True, nogil=True, fastmath=FAST)
def epoch_dense(X, centre, kind, p, y, s, inverse, bias, norms, margin, rows, count, r, w, b):
    """The same for a dense matrix, with its columns centred."""
    gain, greatest, k = 0.0, 0.0, 0
    while k < count:
        i = rows[k]
        weight = weight_of(s, i)
        z, a = 0.0, weight * norms[i]
        for j in range(w.size):
            z += (X[i, j] - centre[j]) * w[j]
        z += b
        after = _renewed(kind, p, a, y[i], z, r[i])
        change = after - r[i]
        if change == 0 and _settled(kind, p, a, y[i], z, after, margin):
            count -= 1
            rows[k], rows[count] = rows[count], i
            continue
        k += 1
        if change == 0:
            continue
        r[i] = after
        gain += weight * a * change * change
        greatest = max(greatest, a * abs(change))
        change *= -weight
        b += bias * change
        for j in range(w.size):
            w[j] += change * weight_of(inverse, j) * (X[i, j] - centre[j])
    return count, b, gain, greatest


@njit(cache=True, nogil=True)
def unsettled(kind, p, y, s, norms, z, r, margin, rows):
    """Fill `rows` with those that are not settled by more than `margin`; how many they are."""
    count = 0
    for i in range(z.size):
        weight = weight_of(s, i)
        if weight > 0 and not _settled(kind, p, weight * norms[i], y[i], z[i], r[i], margin):
            rows[count] = i
            count += 1
    return count


@njit(cache=True, nogil=True)
def judged(kind, p, y, s, norms, z, r, b):
    """Σ s ℓ(z), and of slopes below and above 0: Σ s ℓ*(r), Σ s abs(r), Σ s r (z − b), Σ s abs(r) √norm."""
    loss, sums = 0.0, np.zeros((4, 2))
    for i in range(z.size):
        weight = weight_of(s, i)
        if weight == 0:
            continue
        loss += weight * value(kind, p, 0.0, z[i], y[i])
        side = 1 if r[i] > 0 else 0
        part = weight * abs(r[i])
        sums[0, side] += weight * conjugate(kind, p, r[i], y[i])
        sums[1, side] += part
        sums[2, side] += weight * r[i] * (z[i] - b)
        sums[3, side] += part * np.sqrt(norms[i])
    return loss, sums


@njit(cache=True, nogil=True, fastmath=FAST)
def squared_norm(w, l2):
    """Σ l2 w²."""
    total = 0.0
    for j in range(w.size):
        total += l2[j] * w[j] * w[j]
    return total


@njit(cache=True, nogil=True)
def guess(kind, p, y, s, norms, z, r):
    """The best slopes for scores that are given."""
    for i in range(z.size):
        a = weight_of(s, i) * norms[i]
        r[i] = slope(kind, p, a, z[i], y[i])


@njit(cache=True, nogil=True, fastmath=FAST)
def norms_sparse(start, stop, data, indices, indptr, inverse, out):
    """Σ x² / l2 by row."""
    for i in range(start, stop):
        total = 0.0
        for m in range(indptr[i], indptr[i + 1]):
            total += data[m] * data[m] * weight_of(inverse, indices[m])
        out[i] = total


@njit(cache=True, nogil=True, fastmath=FAST)
def norms_dense(start, stop, X, centre, inverse, out):
    """Σ (x − centre)² / l2 by row."""
    for i in range(start, stop):
        total = 0.0
        for j in range(centre.size):
            total += (X[i, j] - centre[j]) ** 2 * weight_of(inverse, j)
        out[i] = total
