"""L-BFGS of few numbers, in NumPy: see `uncompiled`, and `lbfgs` for what is what."""

import numpy as np

from descend.linear._kernels.uncompiled import Array

# So few that NumPy's intermediate vectors stay in the cache.
FEW_NUMBERS = 2**18


def keep(start: int, stop: int, u: Array, g: Array, old_u: Array, old_g: Array, root: Array, step: Array,
         change: Array) -> tuple[float, float]:
    """√D (u − old u) and (g − old g)/√D, kept as they are stored; their product, and the square of the latter."""
    part = slice(start, stop)
    s, y = (u[part] - old_u[part]) * root[part], (g[part] - old_g[part]) / root[part]
    step[part], change[part] = s, y
    return float(np.sum(s * y)), float(np.sum(y * y))


def scaled(start: int, stop: int, g: Array, root: Array, out: Array) -> None:
    """out ← g/√D."""
    out[start:stop] = g[start:stop] / root[start:stop]


def gap(start: int, stop: int, g: Array, penalty: Array) -> tuple[float]:
    """Σ g²/(2 penalty) where there is a penalty."""
    g, penalty = g[start:stop], penalty[start:stop]
    return (float(np.sum(np.divide(0.5 * g * g, penalty, where=penalty > 0, out=np.zeros_like(g)))),)


def back(start: int, stop: int, g: Array, root: Array, first: float, added: Array, out: Array) -> tuple[float]:
    """out ← −(first g/√D + added)/√D; gives its product with g."""
    part = slice(start, stop)
    out[part] = -(first * g[part] / root[part] + added[part]) / root[part]
    return (float(np.sum(out[part] * g[part])),)
