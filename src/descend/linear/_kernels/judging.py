"""What losses say of a block of scores: their sums, slopes, and the slopes that were foreseen, with their conjugates.

The logistic loss takes four exponentials and logarithms for each row, as long as a row of fifty numbers takes to be
read; in loops of their own they are vector instructions. Each loop writes one array, or a compiler would have to know
that they do not overlap.
"""

import numpy as np
from numba import njit

from descend.linear._kernels.elementary import EXACT, TINY, fast_exp, fast_log, fast_log1p
from descend.linear._kernels.losses import LOGISTIC, SQUARED, conjugate, curvature, feasible, slope, value

FAST = {"reassoc", "contract", "arcp", "nsz"}  # sums in any order, for vector instructions; NaN and infinity stay
SUMS = 7  # loss, slope; of foreseen slopes below and above 0: conjugates, sums; and squares


@njit(cache=True, nogil=True, inline="always")
def weight_of(s, i):
    """The weight of a row, where there may be one for all."""
    return s[i] if s.size > 1 else s[0]


@njit(cache=True, nogil=True)
def room(count, foresee):
    """Arrays for the judgement of so many rows: weighted slopes, and foreseen ones below and above 0; three more."""
    return np.empty((3 if foresee else 1, count)), np.empty((3, count))


@njit(cache=True, nogil=True)
def judge(first, count, kind, p, mu, y, s, scores, z, r, spare, sums):
    """Judge `count` rows from `first` on by their scores: fill `r`, add to `sums`, and keep the scores in `z`.

    `z` holds the last scores, at which the slopes of these were foreseen, where `r` has room for them: see
    `Matrix.sweep`.
    """
    slopes, losses, conjugates, weights = r[0], spare[0], spare[1], spare[2]
    for i in range(count):
        weights[i] = weight_of(s, first + i)
    if r.shape[0] > 1:
        _look_ahead(first, count, kind, p, mu, y, scores, z, r[1], conjugates)
        for side in range(2):
            sums[2 + side] += _total_of_side(count, weights, conjugates, r[1], side)
        sums[6] += _squares(count, weights, r[1])
        sums[5] += _above(count, weights, r[1], r[2])
        sums[4] += _below(count, weights, r[1])
    if kind == LOGISTIC:
        _exponentials(count, scores, losses)
        _logistic_slopes(first, count, y, scores, losses, slopes)
        _logistic_losses(first, count, y, scores, losses)
    elif kind == SQUARED:
        _squared(first, count, y, scores, slopes, losses)
    else:
        for i in range(count):
            slopes[i] = slope(kind, p, mu, scores[i], y[first + i])
        for i in range(count):
            losses[i] = value(kind, p, mu, scores[i], y[first + i])
    z[first : first + count] = scores[:count]
    sums[0] += _total(count, weights, losses)
    sums[1] += _weigh(count, weights, slopes)


@njit(cache=True, nogil=True)
def _look_ahead(first, count, kind, p, mu, y, scores, z, foreseen, conjugates):
    """The slopes that were foreseen, and their conjugates."""
    if kind == LOGISTIC:
        _foresee_logistic(first, count, y, scores, z, foreseen)
        _entropies(count, foreseen, conjugates)
        return
    if kind == SQUARED:
        _errors(first, count, y, scores, foreseen)
    else:
        _foresee(first, count, kind, p, mu, y, scores, z, foreseen)
    for i in range(count):
        conjugates[i] = conjugate(kind, p, foreseen[i], y[first + i])


@njit(cache=True, nogil=True, fastmath=FAST)
def _total(count, weights, numbers):
    total = 0.0
    for i in range(count):
        total += weights[i] * numbers[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST)
def _total_of_side(count, weights, numbers, slopes, above):
    total = 0.0
    for i in range(count):
        total += weights[i] * numbers[i] if (slopes[i] > 0) == (above > 0) else 0.0
    return total


@njit(cache=True, nogil=True, fastmath=FAST)
def _squares(count, weights, numbers):
    total = 0.0
    for i in range(count):
        total += weights[i] * numbers[i] * numbers[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST)
def _weigh(count, weights, numbers):
    total = 0.0
    for i in range(count):
        numbers[i] *= weights[i]
        total += numbers[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST)
def _above(count, weights, slopes, out):
    total = 0.0
    for i in range(count):
        out[i] = weights[i] * max(slopes[i], 0.0)
        total += out[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST)
def _below(count, weights, slopes):
    total = 0.0
    for i in range(count):
        slopes[i] = weights[i] * min(slopes[i], 0.0)
        total += slopes[i]
    return total


@njit(cache=True, nogil=True)
def _squared(first, count, y, scores, slopes, losses):
    _errors(first, count, y, scores, slopes)
    for i in range(count):
        losses[i] = 0.5 * slopes[i] * slopes[i]


@njit(cache=True, nogil=True)
def _errors(first, count, y, scores, out):
    for i in range(count):
        out[i] = scores[i] - y[first + i]


@njit(cache=True, nogil=True)
def _foresee(first, count, kind, p, mu, y, scores, z, out):
    for i in range(count):
        k = first + i
        ahead = slope(kind, p, mu, z[k], y[k]) + curvature(kind, p, mu, z[k], y[k]) * (scores[i] - z[k])
        out[i] = feasible(kind, p, ahead, y[k])


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _foresee_logistic(first, count, y, scores, z, out):
    for i in range(count):
        sign = np.float64(y[first + i])
        margin, old = sign * scores[i], sign * z[first + i]
        e = fast_exp(-abs(old))
        share = 1.0 / (1.0 + e)
        wrong = (e if old > 0 else 1.0) * share - e * share * share * (margin - old)
        out[i] = -sign * min(max(wrong, 0.0), 1.0)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _entropies(count, slopes, out):
    for i in range(count):
        share = abs(slopes[i])
        rest = 1.0 - share
        out[i] = share * fast_log(max(share, TINY)) + rest * fast_log(max(rest, TINY))


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _exponentials(count, scores, out):
    for i in range(count):
        out[i] = fast_exp(-abs(scores[i]))


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _logistic_slopes(first, count, y, scores, e, out):
    for i in range(count):
        sign = np.float64(y[first + i])
        out[i] = -sign * (e[i] if sign * scores[i] > 0 else 1.0) / (1.0 + e[i])


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _logistic_losses(first, count, y, scores, e):
    """In place of the exponentials."""
    for i in range(count):
        e[i] = fast_log1p(e[i]) + max(-np.float64(y[first + i]) * scores[i], 0.0)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def curvatures(start, stop, kind, p, mu, y, s, z, out):
    """The weighted second derivatives of the rows' losses."""
    if kind == LOGISTIC:
        for i in range(stop - start):
            e = fast_exp(-abs(z[start + i]))
            out[i] = weight_of(s, start + i) * e / ((1.0 + e) * (1.0 + e))
    else:
        for i in range(start, stop):
            out[i - start] = weight_of(s, i) * curvature(kind, p, mu, z[i], y[i])
