"""What losses say of a block of scores: their sums, slopes, and the slopes that were foreseen, with their conjugates.

A loss has a block evaluated in loops of its own, made of its functions or brought by it: each writes one array, or a
compiler would have to know that they do not overlap. Kernels find them by their address.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from descend.linear._kernels.calling import run

# Sums in any order, for vector instructions; NaN and infinity stay.
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}
# Loss, slope; of foreseen slopes below and above 0: conjugates, sums; and squares.
SUMS_OF_A_PASS = 7


@njit(cache=True, nogil=True, inline="always")
def weight_of(s, i):
    """The weight of a row, where there may be one for all."""
    return s[i] if s.size > 1 else s[0]


@njit(cache=True, nogil=True)
def room(count, with_dual):
    """Arrays for the losses of so many rows: weighted slopes, and foreseen ones below and above 0; three more."""
    return np.empty((3 if with_dual else 1, count)), np.empty((3, count))


@njit(cache=True, nogil=True)
def evaluate_rows(place, first, count, p, mu, y, s, offset, scores, z, r, spare, sums):
    """Evaluate the losses of `count` rows from `first` on: fill `r`, add to `sums`, and keep the scores in `z`.

    `place`: of what `block_evaluator_of` makes for a loss. `offset`: is added to the scores, if there is one; ℓ(z + o)
    has the conjugate ℓ*(r) − r o. `z` holds the last scores, at which the slopes of these were foreseen, where `r` has
    room for them: see `Matrix.sweep`.
    """
    for i in range(count):
        spare[2, i] = weight_of(s, first + i)
    if offset.size > 0:
        for i in range(count):
            scores[i] += offset[first + i]
    run(place, (np.intp(first), np.intp(count), np.float64(p), np.float64(mu), y, scores, z, r, spare))
    slopes, losses, conjugates, weights = r[0], spare[0], spare[1], spare[2]
    if r.shape[0] > 1:
        if offset.size > 0:
            for i in range(count):
                conjugates[i] -= r[1, i] * offset[first + i]
        for side in range(2):
            sums[2 + side] += _total_of_side(count, weights, conjugates, r[1], side)
        sums[6] += _squares(count, weights, r[1])
        sums[5] += _above(count, weights, r[1], r[2])
        sums[4] += _below(count, weights, r[1])
    z[first : first + count] = scores[:count]
    sums[0] += _total(count, weights, losses)
    sums[1] += _weigh(count, weights, slopes)


def block_evaluator_of(loss: Any, compiled: Callable[[Any], Any]) -> Any:
    """What a loss, the module of its functions, says of a block of rows: slopes `r[0]`, losses `spare[0]`, and where
    there is room for them the slopes that were foreseen, `r[1]`, and their conjugates, `spare[1]`.
    """
    if hasattr(loss, "evaluate_block"):

        @compiled
        def evaluate_by_blocks(first, count, p, mu, y, scores, z, r, spare):
            slopes, losses, conjugates = r[0], spare[0], spare[1]
            if r.shape[0] > 1:
                loss.predict_dual_block(first, count, y, scores, z, r[1], conjugates)
            loss.evaluate_block(first, count, y, scores, slopes, losses)

        return evaluate_by_blocks

    @compiled
    def evaluate(first, count, p, mu, y, scores, z, r, spare):
        slopes, losses, conjugates = r[0], spare[0], spare[1]
        if r.shape[0] > 1:
            foreseen = r[1]
            for i in range(count):
                old, target = z[first + i], np.float64(y[first + i])
                ahead = loss.slope(old, target, p, mu) + loss.curvature(old, target, p, mu) * (scores[i] - old)
                foreseen[i] = loss.feasible(ahead, target, p, mu)
            for i in range(count):
                conjugates[i] = loss.conjugate(foreseen[i], np.float64(y[first + i]), p, mu)
        for i in range(count):
            slopes[i] = loss.slope(scores[i], np.float64(y[first + i]), p, mu)
        for i in range(count):
            losses[i] = loss.value(scores[i], np.float64(y[first + i]), p, mu)

    return evaluate


def curvatures_of(loss: Any, compiled: Callable[[Any], Any]) -> Any:
    """The weighted second derivatives of the rows' losses, for a loss, the module of its functions."""
    if hasattr(loss, "curvature_block"):

        @compiled
        def curvatures_by_blocks(start, stop, p, mu, y, s, z, out):
            loss.curvature_block(start, stop, s, z, out)

        return curvatures_by_blocks

    @compiled
    def curvatures(start, stop, p, mu, y, s, z, out):
        for i in range(start, stop):
            out[i - start] = weight_of(s, i) * loss.curvature(z[i], np.float64(y[i]), p, mu)

    return curvatures


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _total(count, weights, numbers):
    total = 0.0
    for i in range(count):
        total += weights[i] * numbers[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _total_of_side(count, weights, numbers, slopes, above):
    total = 0.0
    for i in range(count):
        total += weights[i] * numbers[i] if (slopes[i] > 0) == (above > 0) else 0.0
    return total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _squares(count, weights, numbers):
    total = 0.0
    for i in range(count):
        total += weights[i] * numbers[i] * numbers[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _weigh(count, weights, numbers):
    total = 0.0
    for i in range(count):
        numbers[i] *= weights[i]
        total += numbers[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _above(count, weights, slopes, out):
    total = 0.0
    for i in range(count):
        out[i] = weights[i] * max(slopes[i], 0.0)
        total += out[i]
    return total


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def _below(count, weights, slopes):
    total = 0.0
    for i in range(count):
        slopes[i] = weights[i] * min(slopes[i], 0.0)
        total += slopes[i]
    return total
