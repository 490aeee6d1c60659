"""Kernels of dual coordinate ascent: one slope after the other is made the best, the others being held.

With the coefficients w = −Σ s r x / l2 at hand, and a = s ‖x‖² / l2, the dual is greatest in one slope r at

    r⁺ = argmin_r' ℓ*(r') − c r' + a r'²/2,  c = z + a r

which is the slope at c of the loss smoothed by a: `best`, by its address. A loss may be `flat` in places, where slopes
stay as they are for a while. See `descend.linear.solvers.sdca`.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH, weight_of
from descend.linear._kernels.calling import number, number_at


@njit(cache=True, inline="always")
def renewed(best, p, a, y, z, r):
    """The best slope of a row, whose slope is r and score z."""
    return number_at(best, (np.float64(z + a * r), np.float64(y), np.float64(p), np.float64(a), np.float64(z)))


@njit(cache=True, inline="always")
def _settled(best, flat, p, a, y, z, r, margin):
    """Whether a slope would stay as it is if its score were another by no more than `margin`."""
    c, y, p, a = np.float64(z + a * r), np.float64(y), np.float64(p), np.float64(a)
    return flat and number_at(best, (c - margin, y, p, a, z)) == r and number_at(best, (c + margin, y, p, a, z)) == r


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


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def epoch_sparse(data, indices, indptr, best, flat, p, y, s, inverse, bias, norms, margin, rows, count, r, w, b):
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
        after = renewed(best, p, a, y[i], z, r[i])
        change = after - r[i]
        # A settled row leaves the order; the last of it takes its place, and is visited next.
        if change == 0 and _settled(best, flat, p, a, y[i], z, after, margin):
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
        # One l2 for all columns is the usual case, in which it need not be looked up for each.
        if inverse.size == 1:
            change *= inverse[0]
            for m in range(indptr[i], indptr[i + 1]):
                w[np.uint64(indices[m])] += change * data[m]
        else:
            for m in range(indptr[i], indptr[i + 1]):
                w[np.uint64(indices[m])] += change * inverse[indices[m]] * data[m]
    return count, b, gain, greatest


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def epoch_dense(X, centre, best, flat, p, y, s, inverse, bias, norms, margin, rows, count, r, w, b):
    """The same for a dense matrix, with its columns centred."""
    gain, greatest, k = 0.0, 0.0, 0
    while k < count:
        i = rows[k]
        weight = weight_of(s, i)
        z, a = 0.0, weight * norms[i]
        for j in range(w.size):
            z += (X[i, j] - centre[j]) * w[j]
        z += b
        after = renewed(best, p, a, y[i], z, r[i])
        change = after - r[i]
        if change == 0 and _settled(best, flat, p, a, y[i], z, after, margin):
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
def unsettled(best, flat, p, y, s, norms, z, r, margin, rows):
    """Fill `rows` with those that are not settled by more than `margin`; how many they are."""
    count = 0
    for i in range(z.size):
        weight = weight_of(s, i)
        if weight > 0 and not _settled(best, flat, p, weight * norms[i], y[i], z[i], r[i], margin):
            rows[count] = i
            count += 1
    return count


@njit(cache=True, nogil=True)
def evaluated(value, conjugate, p, y, s, norms, z, r, b):
    """Σ s ℓ(z), and of slopes below and above 0: Σ s ℓ*(r), Σ s abs(r), Σ s r (z − b), Σ s abs(r) √norm."""
    loss, sums = 0.0, np.zeros((4, 2))
    for i in range(z.size):
        weight = weight_of(s, i)
        if weight == 0:
            continue
        loss += weight * number(value, z[i], y[i], p, 0.0)
        side = 1 if r[i] > 0 else 0
        part = weight * abs(r[i])
        sums[0, side] += weight * number(conjugate, r[i], y[i], p, 0.0)
        sums[1, side] += part
        sums[2, side] += weight * r[i] * (z[i] - b)
        sums[3, side] += part * np.sqrt(norms[i])
    return loss, sums


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def squared_norm(w, l2):
    """Σ l2 w²."""
    total = 0.0
    for j in range(w.size):
        total += l2[j] * w[j] * w[j]
    return total


@njit(cache=True, nogil=True)
def guess(slope, p, y, s, norms, z, r):
    """The best slopes for scores that are given."""
    for i in range(z.size):
        a = weight_of(s, i) * norms[i]
        r[i] = number(slope, z[i], y[i], p, a)


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def norms_sparse(start, stop, data, indices, indptr, inverse, out):
    """Σ x² / l2 by row."""
    for i in range(start, stop):
        total = 0.0
        for m in range(indptr[i], indptr[i + 1]):
            total += data[m] * data[m] * weight_of(inverse, indices[m])
        out[i] = total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def norms_dense(start, stop, X, centre, inverse, out):
    """Σ (x − centre)² / l2 by row."""
    for i in range(start, stop):
        total = 0.0
        for j in range(centre.size):
            total += (X[i, j] - centre[j]) ** 2 * weight_of(inverse, j)
        out[i] = total
