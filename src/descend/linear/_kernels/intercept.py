"""The best intercept for given scores, found on the scores alone."""

from math import inf

from numba import njit

from descend.linear._kernels.block_losses import weight_of
from descend.linear._kernels.calling import number

NEWTON_STEPS = 100


@njit(cache=True, nogil=True)
def best_shift(slope, curvature, p, mu, y, s, z, linear_term):
    """The number that, added to all scores, minimises Σ s ℓ(z, y) + linear_term·shift.

    By Newton's steps between two bounds.

    `slope`, `curvature`: of a loss, by their addresses.
    """
    # Newton's step alone may jump for ever between the flanks of a loss with corners; halving alone takes a pass for
    # each bit.
    low, high, at, last = -1e300, 1e300, 0.0, inf
    for _ in range(NEWTON_STEPS):
        first, second, spread = linear_term, 0.0, 0.0
        for i in range(z.size):
            weight = weight_of(s, i)
            r = number(slope, z[i] + at, y[i], p, mu)
            first += weight * r
            second += weight * number(curvature, z[i] + at, y[i], p, mu)
            spread += weight * abs(r)
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
