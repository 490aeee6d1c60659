"""The best intercept for given scores, found on the scores alone."""

from collections.abc import Callable
from math import inf

import numpy as np

from descend.linear._kernels.intercept import shifted
from descend.linear._losses import Loss
from descend.linear.problems.matrix import Array, Rows

NEWTON_STEPS = 100
Slopes = tuple[float, float, float]


def best_shift(loss: Loss, rows: Rows, z: Array, linear_term: float) -> float:
    """The number that, added to all scores, minimises Σ s ℓ(z, y) + linear_term·shift."""
    return _minimum(_slopes_at(loss, rows, z), linear_term)


def _slopes_at(loss: Loss, rows: Rows, z: Array) -> Callable[[float], Slopes]:
    """Of a shift: Σ s ℓ', Σ s ℓ'' and Σ s |ℓ'|."""
    kind, (y, s) = loss.kind, rows
    in_numpy = loss.in_numpy_of(z.size)
    if in_numpy is None:
        places = kind.address_of("slope"), kind.address_of("curvature")
        return lambda shift: shifted(*places, *loss.parameters, y, s, z, shift)
    weights = s if s.size > 1 else s[0]

    def at(shift: float) -> Slopes:
        moved = z + shift
        with np.errstate(over="ignore", invalid="ignore"):
            _, slopes = in_numpy.evaluate(moved, y, *loss.parameters)
            slopes, curvatures = weights * slopes, weights * in_numpy.curvature(moved, y, *loss.parameters)
            return float(slopes.sum()), float(curvatures.sum()), float(np.abs(slopes).sum())

    return at


def _minimum(slopes_at: Callable[[float], Slopes], linear_term: float) -> float:
    """By Newton's steps between two bounds."""
    # Newton's step alone may jump for ever between the flanks of a loss with corners; halving alone takes a pass for
    # each bit.
    low, high, at, last = -1e300, 1e300, 0.0, inf
    for _ in range(NEWTON_STEPS):
        first, second, spread = slopes_at(at)
        first += linear_term
        if abs(first) <= 1e-15 * spread < inf:
            break
        if first > 0:
            high = at
        else:
            low = at
        step = -first / second if 0 < second < inf else (-1.0 if first > 0 else 1.0) * (1.0 + abs(at))
        after, is_bounded = at + step, low > -1e300 and high < 1e300
        # On an exponential's flank all steps have one length.
        if not low < after < high or (is_bounded and abs(step) > 0.5 * last):
            after = 0.5 * (low + high) if is_bounded else at + (2.0 * step)
        last = abs(after - at)
        if after == at:
            break
        at = after
    return at
