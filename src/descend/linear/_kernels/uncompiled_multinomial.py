"""The multinomial loss of small matrices, in NumPy and SciPy: see `uncompiled`, and `multinomial` for what is what."""

from typing import Any

import numpy as np
from scipy import sparse

from descend.linear._kernels.uncompiled import ONE_CORE_PRODUCT, Array, some_rows, weights_of


def sweep(start: int, stop: int, X: Any, centre: Array, unit: Array, V: Array, y: Array, s: Array, with_dual: bool,
          z: Array) -> tuple[Array, Array, Array]:
    """One pass over rows: see `MultinomialProblem`."""
    weights, targets, old = weights_of(s, start, stop), y[start:stop], z[start:stop]
    rows, own = some_rows(X, start, stop), np.arange(stop - start)
    reached = _scores(rows, centre, unit, V)
    p, levels = _softmax(reached)
    if with_dual:
        # The probabilities that were foreseen at the last scores.
        f, _ = _softmax(old)
        moves = reached - old
        f = np.maximum(f * (1 + moves - np.sum(f * moves, axis=1, keepdims=True)), 0.0)
        f /= f.sum(axis=1, keepdims=True)
        entropies = np.sum(f * np.log(f, where=f > 0, out=np.zeros_like(f)), axis=1)
    else:
        entropies = np.sum(p * (reached - levels[:, None]), axis=1)
    totals = np.array([np.sum(weights * (levels - reached[own, targets])), np.sum(weights * entropies)])
    z[start:stop] = reached
    added = lambda r: _sums(rows, centre, unit, _weighed(r, own, targets, weights))
    return totals, added(p), added(f) if with_dual else np.zeros((0, V.shape[1]))


def _weighed(p: Array, own: Array, targets: Array, weights: Array) -> Array:
    """Weighted slopes from probabilities, in their place."""
    p[own, targets] -= 1.0
    p *= weights[:, None]
    return p


def _softmax(z: Array) -> tuple[Array, Array]:
    """exp(z)/Σ exp(z) and log Σ exp(z) of each row."""
    greatest = z.max(axis=1)
    p = np.exp(z - greatest[:, None])
    total = p.sum(axis=1)
    p /= total[:, None]
    return p, greatest + np.log(total)


def scores(start: int, stop: int, X: Any, centre: Array, unit: Array, V: Array, Z: Array) -> None:
    """Z = x̃ᵀV of rows."""
    Z[start:stop] = _scores(some_rows(X, start, stop), centre, unit, V)


def sums(start: int, stop: int, X: Any, centre: Array, unit: Array, R: Array) -> Array:
    """Σ x̃ rᵀ of rows."""
    return _sums(some_rows(X, start, stop), centre, unit, R[start:stop])


def _scores(rows: Any, centre: Array, unit: Array, V: Array) -> Array:
    if sparse.issparse(rows):
        return rows @ (unit[:, None] * V[:-1]) + V[-1]
    out = np.empty((rows.shape[0], V.shape[1]))
    for first, last, block in _blocks(rows, centre, unit, V.shape[1]):
        np.dot(block, V[:-1], out=out[first:last])
    return out + V[-1]


def _sums(rows: Any, centre: Array, unit: Array, R: Array) -> Array:
    out = np.zeros((rows.shape[1] + 1, R.shape[1]))
    if sparse.issparse(rows):
        out[:-1] = unit[:, None] * (rows.T @ R)
    else:
        for first, last, block in _blocks(rows, centre, unit, R.shape[1]):
            out[:-1] += np.dot(block.T, R[first:last])
    out[-1] = R.sum(axis=0)
    return out


def _blocks(rows: Array, centre: Array, unit: Array, width: int) -> Any:
    """Dense rows centred and in units, as many at a time as one core multiplies by a matrix of so many columns."""
    step = max(1, ONE_CORE_PRODUCT // max(rows.shape[1] * width, 1))
    for first in range(0, len(rows), step):
        last = min(first + step, len(rows))
        yield first, last, (rows[first:last] - centre) * unit


def probabilities(start: int, stop: int, y: Array, s: Array, z: Array, p: Array) -> tuple[float]:
    """Loss of the scores, and their probabilities in p, which may be z."""
    own = z[np.arange(start, stop), y[start:stop]]
    p[start:stop], levels = _softmax(z[start:stop])
    return (float(np.sum(weights_of(s, start, stop) * (levels - own))),)


def tilted(start: int, stop: int, factor: Array, s: Array, p: Array) -> tuple[float, Array, Array]:
    """Of q, p times the factors of the classes and divided by its sum: Σ s log(that sum), Σ s q and Σ s q qᵀ."""
    weights, q = weights_of(s, start, stop), p[start:stop] * factor
    totals = q.sum(axis=1)
    q /= totals[:, None]
    shares = weights[:, None] * q
    return float(np.sum(weights * np.log(totals))), shares.sum(axis=0), np.einsum("ia,ib->ab", shares, q)


def tilt(start: int, stop: int, factor: Array, p: Array) -> None:
    """p ← p times the factors of the classes, divided by its sum."""
    q = p[start:stop] * factor
    p[start:stop] = q / q.sum(axis=1, keepdims=True)


def written(start: int, stop: int, X: Any, centre: Array, unit: Array, out: Array) -> None:
    """Rows centred, in units, with a one at their end."""
    rows = X[start:stop].toarray() if sparse.issparse(X) else X[start:stop] - centre
    out[: stop - start, :-1] = rows * unit
    out[: stop - start, -1] = 1.0


def curvatures(start: int, stop: int, s: Array, z: Array, out: Array) -> None:
    """s (δₖₗ pₖ − pₖ pₗ) of each row, for pairs of a class with itself and those before it."""
    p, _ = _softmax(z[start:stop])
    k, c = np.tril_indices(z.shape[1])
    shares = weights_of(s, start, stop)[:, None] * p
    out[: stop - start] = -shares[:, k] * p[:, c]
    out[: stop - start, k == c] += shares


def crossed(rows: Array, begin: int, end: int, out: Array) -> None:
    """Products of the columns from `begin` to `end` with themselves and those before them, of each row."""
    j, k = np.tril_indices(end)
    wanted = j >= begin
    np.multiply(rows[:, j[wanted]], rows[:, k[wanted]], out=out)
