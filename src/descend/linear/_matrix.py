"""The matrix of features behind one interface, dense or sparse, as it lies in memory and never copied."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import blas

from descend.linear._kernels import dense
from descend.linear._kernels import sparse as compressed
from descend.linear._kernels.losses import Loss
from descend.linear._threads import each, parts, total

BLOCK = 2**18  # numbers of a block of rows that is written out for a product
Array = np.ndarray


class Rows(NamedTuple):
    """What goes with the rows: targets, and weights whose sum is 1 (or one for all of them)."""

    y: Array
    s: Array


class Sums(NamedTuple):
    """What a pass gives.

    `value`: Σ s ℓ(z, y). `g`, `g_b`: its gradient by coefficients and intercept. `q`, `q_b`, `conjugates`: Xᵀ s r,
    Σ s r and Σ s ℓ*(r) of a dual point r, the slopes that were foreseen for these scores at the last ones:
    r = ℓ'(z₀) + ℓ''(z₀)(z − z₀), or the nearest in the conjugate's domain; each twice, over the rows where r is below
    and above 0. `squares`: Σ s r². After a Newton step the dual is quadratically near to its maximum there, however
    small the penalty.
    """

    value: float
    g: Array
    g_b: float
    q: Array
    q_b: Array
    conjugates: Array
    squares: float


class Matrix:
    """A dense or sparse matrix with the passes over it that solvers need."""

    def __init__(self, X: Any) -> None:
        self.X = X
        self.shape: tuple[int, int] = X.shape
        self.is_sparse = bool(sparse.issparse(X))
        self.in_columns = not self.is_sparse and X.flags.f_contiguous and not X.flags.c_contiguous

    @cached_property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return int(self.X.nnz if self.is_sparse else self.X.size)

    @cached_property
    def _parts(self) -> list[tuple[int, int]]:
        return parts(self.shape[0], self.numbers)

    @property
    def _stored(self) -> tuple[Array, Array, Array]:
        return self.X.data, self.X.indices, self.X.indptr

    def sweep(self, w: Array, b: float, loss: Loss, rows: Rows, z: Array) -> Sums:
        """Loss and gradient at `z = Xw + b`, in one pass. `z` holds the last scores, and these afterwards."""
        if self.is_sparse:
            work = lambda start, stop: compressed.sweep(start, stop, *self._stored, w, b, *loss, *rows, z)
        else:
            kernel = dense.sweep_columns if self.in_columns else dense.sweep_rows
            work = lambda start, stop: kernel(start, stop, self.X, w, b, *loss, *rows, z)
        sums, g, q = total(each(work, self._parts))
        return Sums(float(sums[0]), g, float(sums[1]), q, sums[4:6], sums[2:4], float(sums[6]))

    def moments(self, s: Array) -> tuple[Array, Array, Array]:
        """Weighted mean, mean square about the mean, and greatest magnitude, by column."""
        if self.is_sparse:
            work = lambda start, stop: compressed.moments(start, stop, *self._stored, s, self.shape[1])
            first: Any = 0.0
        else:
            kernel = dense.moments_columns if self.in_columns else dense.moments_rows
            work = lambda start, stop: kernel(start, stop, self.X, s)
            first = np.asarray(self.X[0], np.float64)
        results = each(work, self._parts)
        away, squares = (np.sum([result[i] for result in results], axis=0) for i in (0, 1))
        greatest = np.max([result[2] for result in results], axis=0)
        share = 1.0 if s.size > 1 else float(s[0]) * self.shape[0]  # the weights' sum, which is 1 but for rounding
        away, squares = away / share, squares / share
        return first + away, np.maximum(squares - away**2, 0.0), greatest

    def hessian(self, loss: Loss, rows: Rows, z: Array, centre: Array, unit: Array) -> Array:
        """Σ s ℓ''(z) x̃ x̃ᵀ with x̃ = ((x − centre)·unit, 1): the lower triangle, with the intercept last."""
        if self.is_sparse:
            def work(start: int, stop: int) -> tuple[Array]:
                h = np.empty(stop - start)
                dense.curvatures(start, stop, *loss, *rows, z, h)
                return (compressed.gram(start, stop, *self._stored, h, self.shape[1]),)

            few = parts(self.shape[0], min(self.numbers, 8 * 2**18))  # each holds a Hessian of its own
            return _moved(total(each(work, few))[0], centre, unit)
        kernel = dense.weighted_columns if self.in_columns else dense.weighted_rows
        count, columns = self.shape
        size = max(1, min(count, BLOCK // (columns + 1)))
        block, roots = np.empty((size, columns + 1)), np.empty(size)
        out = np.zeros((columns + 1, columns + 1), order="F")
        for start in range(0, count, size):
            stop = min(start + size, count)
            dense.curvatures(start, stop, *loss, *rows, z, roots)
            np.sqrt(roots[: stop - start], out=roots[: stop - start])
            ranges = [(start + a, start + b) for a, b in parts(stop - start, (stop - start) * columns)]
            fill = lambda a, b, start=start: kernel(a, b, self.X, centre, unit, roots[a - start :], block[a - start :])
            each(fill, ranges)
            out = blas.dsyrk(1.0, block[: stop - start].T, beta=1.0, c=out, lower=1, overwrite_c=1)
        return out

    def take(self, rows: Sequence[int] | Array) -> "Matrix":
        """A copy of some rows."""
        chosen = self.X[rows]
        return Matrix(chosen if self.is_sparse else np.ascontiguousarray(chosen))


def _moved(gram: Array, centre: Array, unit: Array) -> Array:
    """Σ h x̃ x̃ᵀ from Σ h (x, 1)(x, 1)ᵀ; lower triangles."""
    gram = np.tril(gram) + np.tril(gram, -1).T
    if centre.any():
        lift = np.eye(len(gram))
        lift[:-1, -1] = -centre
        gram = lift @ gram @ lift.T
    scale = np.append(unit, 1.0)
    return gram * scale * scale[:, None]
