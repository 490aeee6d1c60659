"""The logistic loss, log(1 + exp(−yz)), y = ±1.

It takes four exponentials and logarithms for each row, as long as a row of fifty numbers takes to be read; in loops of
their own they are vector instructions.
"""

from math import exp, log, log1p

import jax
import numpy as np
from numba import njit
from scipy.special import xlogy

from descend.linear._kernels.block_losses import weight_of
from descend.linear._kernels.elementary import EXACT, LOG_FLOOR, fast_exp, fast_log, fast_log1p
from descend.linear._losses.loss import Array, InNumPy, Kind, Separation

# Steps at most for a slope, which takes two or three.
NEWTON_STEPS = 60
STEEP_SCORE = 4.0


@njit(cache=True, nogil=True)
def value(z, y, p, mu):
    margin = y * z
    return log1p(exp(-margin)) if margin > 0 else log1p(exp(margin)) - margin


@njit(cache=True, nogil=True)
def slope(z, y, p, mu):
    return -y / (1 + exp(y * z))


@njit(cache=True, nogil=True)
def curvature(z, y, p, mu):
    e = exp(-abs(z))
    return e / ((1 + e) * (1 + e))


@njit(cache=True, nogil=True)
def feasible(r, y, p, mu):
    return -y * min(max(-y * r, 0.0), 1.0)


@njit(cache=True, inline="always")
def _entropy(x):
    return x * log(x) if x > 0 else 0.0


@njit(cache=True, nogil=True)
def conjugate(r, y, p, mu):
    share = -y * r
    return _entropy(share) + _entropy(1 - share) if 0 <= share <= 1 else np.inf


@njit(cache=True, nogil=True)
def best(c, y, p, a, z):
    """−yσ(t): t + yc + a σ(t) = 0 by Newton's method between bounds.

    Where a is great, σ is steep, and the steps are those for log(a σ(t)) = log(−t − yc), which is nearly straight.
    """
    margin = y * c
    low, high, t = -margin - a, -margin, -y * z
    if not low < t < high:
        t = 0.5 * (low + high)
    for _ in range(NEWTON_STEPS):
        share = 1 / (1 + exp(-t))
        error, bend = t + margin + a * share, 1 + a * share * (1 - share)
        if error > 0:
            high = t
        else:
            low = t
        if a > STEEP_SCORE and -margin > t:
            error, bend = log(a * share / (-margin - t)), 1 - share + 1 / (-margin - t)
        move = -error / bend
        if abs(move) <= 1e-4 or t + move == t:
            t += move
            # The error that is left is of the move's square.
            break
        t = t + move if low < t + move < high else 0.5 * (low + high)
    return -y / (1 + exp(-t))


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def predict_dual_block(first, count, y, scores, z, foreseen, conjugates):
    """The slopes that were foreseen, and their conjugates, entropies."""
    _foresee(first, count, y, scores, z, foreseen)
    _entropies(count, foreseen, conjugates)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _foresee(first, count, y, scores, z, out):
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
        out[i] = share * fast_log(max(share, LOG_FLOOR)) + rest * fast_log(max(rest, LOG_FLOOR))


@njit(cache=True, nogil=True)
def evaluate_block(first, count, y, scores, slopes, values):
    """Slopes and values."""
    _exponentials(count, scores, values)
    _slopes(first, count, y, scores, values, slopes)
    _values(first, count, y, scores, values)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _exponentials(count, scores, out):
    for i in range(count):
        out[i] = fast_exp(-abs(scores[i]))


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _slopes(first, count, y, scores, e, out):
    for i in range(count):
        sign = np.float64(y[first + i])
        out[i] = -sign * (e[i] if sign * scores[i] > 0 else 1.0) / (1.0 + e[i])


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def _values(first, count, y, scores, e):
    """In place of the exponentials."""
    for i in range(count):
        e[i] = fast_log1p(e[i]) + max(-np.float64(y[first + i]) * scores[i], 0.0)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def curvature_block(start, stop, s, z, out):
    """The weighted second derivatives."""
    for i in range(stop - start):
        e = fast_exp(-abs(z[start + i]))
        out[i] = weight_of(s, start + i) * e / ((1.0 + e) * (1.0 + e))


def _evaluated(z: Array, y: Array, *_: float) -> tuple[Array, Array]:
    e, margin = np.exp(-np.abs(z)), y * z
    return np.log1p(e) + np.maximum(-margin, 0.0), -y * np.where(margin > 0, e, 1.0) / (1 + e)


def _foreseen(z: Array, y: Array, old: Array, *_: float) -> tuple[Array, Array]:
    margin, e = y * old, np.exp(-np.abs(old))
    ahead = np.where(margin > 0, e, 1.0) / (1 + e) - e / (1 + e) ** 2 * (y * z - margin)
    share = np.clip(ahead, 0.0, 1.0)
    return -y * share, xlogy(share, share) + xlogy(1 - share, 1 - share)


def _curvatures(z: Array, _y: Array, *_: float) -> Array:
    e = np.exp(-np.abs(z))
    return e / (1 + e) ** 2


def _separation_margins(z: Array, y: Array) -> tuple[Array, float]:
    """A direction separates the classes: y_i (x_i·d) ≥ 0 for all rows, and > 0 for some."""
    return y * z, 0.0


def separated(rows: int, border: int) -> str:
    """Why there is no minimum."""
    among = f", {border} of them on the border" if border else ""
    return (f"a plane separates the classes: all {rows:,} rows are on their side of it{among}, so the loss falls "
            "for ever as the coefficients grow; a penalty gives it a minimum")


# Of entropies, which are sums of logarithms next to 0.
KIND = Kind(__name__, classes=True, curvature_bound=lambda _p, _mu: 0.25, strictly_convex=True,
            rounding=float(np.finfo(float).eps),
            separation=Separation(_separation_margins, separated),
            in_numpy=InNumPy(_evaluated, _foreseen, _curvatures),
            in_jax=lambda z, y, _p, _mu: jax.nn.softplus(-y * z))
