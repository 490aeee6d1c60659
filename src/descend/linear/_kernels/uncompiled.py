"""Passes over small matrices in NumPy and SciPy: to compile Numba's kernels takes seconds, once on each machine.

Each function does what a kernel of the same name does, for a matrix that is dense in any order, or sparse in compressed
rows. Products by BLAS are of so few numbers that it makes them on one core: their sums are the same on any machine.
"""

from typing import Any

import numpy as np
from scipy import sparse

from descend.linear._kernels.block_losses import SUMS_OF_A_PASS

Array = np.ndarray
# Numbers of a matrix times scores of a row, up to which a pass by NumPy takes some milliseconds, at most twice as long
# as by Numba; and columns, if it is dense.
SMALL_PASS, SMALL_COLUMNS = 2**21, 2**12
# Rows of which scores alone are gone through.
FEW_ROWS = 2**18
# Multiplications of one call of BLAS: so few it makes on one core, and threads do not wait for it.
ONE_CORE_PRODUCT = 2**18
# Of two vectors, whose sum it divides among threads sooner.
ONE_CORE_DOT = 2**13


def is_small(X: Any, outputs: int = 1) -> bool:
    """Whether a matrix is gone through here, of so many scores of a row."""
    entries, columns = (X.nnz, 0) if sparse.issparse(X) else (X.size, X.shape[1])
    return entries * outputs <= SMALL_PASS and columns <= SMALL_COLUMNS


def weights_of(s: Array, start: int, stop: int) -> Array:
    """The weights of some rows, where there may be one for all."""
    return s[start:stop] if s.size > 1 else np.broadcast_to(s, stop - start)


def some_rows(X: Any, start: int, stop: int) -> Any:
    """Rows of a matrix, which is not copied where it is all of them."""
    return X if (start, stop) == (0, X.shape[0]) else X[start:stop]


@np.errstate(over="ignore", invalid="ignore")
def sweep(start: int, stop: int, X: Any, w: Array, b: float, loss: Any, y: Array, s: Array, offset: Array, z: Array,
          with_dual: bool) -> tuple[Array, Array]:
    """One pass over rows: see `Matrix.sweep`. `loss`: a `Loss`."""
    rows, weights, targets = some_rows(X, start, stop), weights_of(s, start, stop), y[start:stop]
    # Not by BLAS, whose threads would add up each row in another order.
    reached = b + (rows @ w if sparse.issparse(X) else np.einsum("ij,j->i", rows, w))
    shift = offset[start:stop] if offset.size else 0.0
    reached += shift
    in_numpy, parameters = loss.kind.in_numpy, loss.parameters
    values, slopes = in_numpy.evaluate(reached, targets, *parameters)
    foreseen, conjugates = (in_numpy.foresee(reached, targets, z[start:stop], *parameters) if with_dual
                            else (slopes, values))
    factors, totals = np.empty((3 if with_dual else 1, stop - start)), np.zeros(SUMS_OF_A_PASS)
    factors[0] = weights * slopes
    totals[:2] = np.sum(weights * values), factors[0].sum()
    if with_dual:
        conjugates = weights * (conjugates - foreseen * shift)
        totals[2:4] = np.sum(conjugates, where=foreseen <= 0), np.sum(conjugates, where=foreseen > 0)
        factors[1], factors[2] = weights * np.minimum(foreseen, 0.0), weights * np.maximum(foreseen, 0.0)
        totals[4:6] = factors[1:].sum(axis=1)
        totals[6] = np.sum(weights * foreseen**2)
    z[start:stop] = reached
    return totals, _added(rows, factors)


def _added(X: Any, factors: Array) -> Array:
    """Each line of `factors` times the matrix."""
    if sparse.issparse(X):
        return np.ascontiguousarray((X.T @ factors.T).T)
    out, (rows, columns) = np.zeros((len(factors), X.shape[1])), X.shape
    width = len(factors) * columns
    step = max(1, ONE_CORE_PRODUCT // width) if width > 1 else ONE_CORE_DOT
    for first in range(0, rows, step):
        out += factors[:, first : first + step] @ X[first : first + step]
    return out


def scores(start: int, stop: int, X: Any, w: Array, b: float, centre: Array, z: Array) -> None:
    """z = (X − centre) w + b; the centre of a sparse matrix is 0."""
    rows = some_rows(X, start, stop)
    z[start:stop] = b + (rows @ w if sparse.issparse(X) else np.einsum("ij,j->i", rows - centre, w))


def sums(start: int, stop: int, X: Any, v: Array, centre: Array) -> tuple[Array, float]:
    """Σ v (x − centre), and Σ v."""
    rows, v = some_rows(X, start, stop), v[start:stop]
    return rows.T @ v if sparse.issparse(X) else np.einsum("i,ij->j", v, rows - centre), float(v.sum())


def moments(start: int, stop: int, X: Any, s: Array) -> tuple[Array, Array, Array]:
    """Of each column the weighted sum and sum of squares, and the greatest magnitude; of a dense one, sums about its
    first row's number.
    """
    rows, weights = some_rows(X, start, stop), weights_of(s, start, stop)
    if sparse.issparse(X):
        # It has no numbers that were stored twice: `abs` and `max` would see their sum.
        wide = rows.astype(np.float64, copy=False)
        return wide.T @ weights, wide.power(2).T @ weights, abs(wide).max(axis=0).toarray().ravel()
    away = rows - X[0].astype(np.float64)
    return (np.einsum("i,ij->j", weights, away), np.einsum("i,ij,ij->j", weights, away, away),
            np.abs(rows).max(axis=0).astype(np.float64))


def weighted(start: int, stop: int, X: Array, centre: Array, unit: Array, roots: Array, out: Array) -> None:
    """Rows centred, in units, with a column of ones, each times its root: what a Gram matrix is made of."""
    columns, roots = X.shape[1], roots[: stop - start]
    out[: stop - start, :columns] = roots[:, None] * (X[start:stop] - centre) * unit
    out[: stop - start, columns] = roots


def add_gram(start: int, stop: int, X: Any, h: Array, out: Array) -> None:
    """Add Σ h x xᵀ over sparse rows x with a one at their end to the lower triangle of `out`."""
    rows = some_rows(X, start, stop)
    weighted_rows = rows.multiply(h[:, None]).tocsr()
    out[:-1, :-1] += np.tril((weighted_rows.T @ rows).toarray())
    out[-1, :-1] += rows.T @ h
    out[-1, -1] += h.sum()
