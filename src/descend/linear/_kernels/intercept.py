"""What a number that is added to all scores does to the loss: see `problems.intercept`."""

from numba import njit

from descend.linear._kernels.block_losses import weight_of
from descend.linear._kernels.calling import number


@njit(cache=True, nogil=True)
def shifted(slope, curvature, p, mu, y, s, z, shift):
    """Σ s ℓ'(z + shift), Σ s ℓ''(z + shift) and Σ s |ℓ'(z + shift)|.

    `slope`, `curvature`: of a loss, by their addresses.
    """
    first, second, spread = 0.0, 0.0, 0.0
    for i in range(z.size):
        weight = weight_of(s, i)
        r = number(slope, z[i] + shift, y[i], p, mu)
        first += weight * r
        second += weight * number(curvature, z[i] + shift, y[i], p, mu)
        spread += weight * abs(r)
    return first, second, spread
