"""Kernels of L-BFGS: each goes over long vectors once, where NumPy would write intermediate ones."""

from numba import njit

from descend.linear._kernels.block_losses import FAST_MATH


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def keep(start, stop, u, g, old_u, old_g, root, step, change):
    """√D (u − old u) and (g − old g)/√D, kept as they are stored; their product, and the square of the latter."""
    along, across = 0.0, 0.0
    for i in range(start, stop):
        s, y = (u[i] - old_u[i]) * root[i], (g[i] - old_g[i]) / root[i]
        step[i], change[i] = s, y
        along += s * y
        across += y * y
    return along, across


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def scaled(start, stop, g, root, out):
    """out ← g/√D."""
    for i in range(start, stop):
        out[i] = g[i] / root[i]


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def gap(start, stop, g, penalty):
    """Σ g²/(2 penalty) where there is a penalty."""
    total = 0.0
    for i in range(start, stop):
        total += 0.5 * g[i] * g[i] / penalty[i] if penalty[i] > 0 else 0.0
    return (total,)


@njit(cache=True, nogil=True, fastmath=FAST_MATH)
def back(start, stop, g, root, first, added, out):
    """out ← −(first g/√D + added)/√D; gives its product with g."""
    slope = 0.0
    for i in range(start, stop):
        out[i] = -(first * g[i] / root[i] + added[i]) / root[i]
        slope += out[i] * g[i]
    return (slope,)
