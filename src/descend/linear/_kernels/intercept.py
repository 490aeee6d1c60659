"""The best intercept for given scores, found on the scores alone."""

from numba import njit

from descend.linear._kernels.calling import number
from descend.linear._kernels.judging import weight_of

STEPS = 60


@njit(cache=True, nogil=True)
def best_shift(slope, curvature, p, mu, y, s, z, tilt):
    """The number that, added to all scores, minimises Σ s ℓ(z, y) + tilt·shift: Newton's steps between two bounds.

    `slope`, `curvature`: of a loss, by their addresses.
    """
    low, high, at = -1e300, 1e300, 0.0
    for _ in range(STEPS):
        first, second, spread = tilt, 0.0, 0.0
        for i in range(z.size):
            weight = weight_of(s, i)
            r = number(slope, z[i] + at, y[i], p, mu)
            first += weight * r
            second += weight * number(curvature, z[i] + at, y[i], p, mu)
            spread += weight * abs(r)
        if abs(first) <= 1e-15 * spread:
            break
        if first > 0:
            high = at
        else:
            low = at
        step = -first / second if second > 0 else (-1.0 if first > 0 else 1.0) * (1.0 + abs(at))
        after = at + step
        if not low < after < high:
            after = 0.5 * (low + high) if low > -1e300 and high < 1e300 else at + (2.0 * step)
        if after == at:
            break
        at = after
    return at
