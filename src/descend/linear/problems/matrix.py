"""The matrix of features behind one interface, dense or sparse, as it lies in memory and never copied here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from descend.linear._kernels import dense, products, uncompiled, wide
from descend.linear._kernels import sparse as compressed
from descend.linear._kernels.threads import each, one_thread_each, parts, total
from descend.linear._losses import Loss

# Numbers of a block of rows that is written out for a product; and rows, at least.
BLOCK_ENTRIES, BLOCK_MIN_ROWS = 2**15, 256
# Columns of a matrix in Fortran's order from which two passes are faster than pieces of columns.
WIDE_COLUMNS = 256
# The share of coefficients that are not 0 up to which scores alone are soon found.
FEW_COEFFICIENTS = 0.25
Array = np.ndarray
# No offsets of rows.
NO_OFFSET = np.zeros(0)
Moments = tuple[Array, Array, Array]


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
    """A dense or sparse matrix with the passes over it that solvers need.

    `known`: its moments by rows of equal weight, where they are known already. `shift`: what was taken away from each
    of the user's columns, if anything was: see `shifted`. `dtype`: of the user's numbers, if it is not that of `X`.
    """

    def __init__(self, X: Any, known: Moments | None = None, shift: Array | None = None, dtype: Any = None) -> None:
        self.X, self.known, self.shift = X, known, shift
        self.dtype = X.dtype if dtype is None else dtype
        self.shape: tuple[int, int] = X.shape
        self.is_sparse = bool(sparse.issparse(X))
        self.in_columns = not self.is_sparse and X.flags.f_contiguous and not X.flags.c_contiguous

    def score_buffer(self) -> Array:
        """Room for what a pass remembers: the scores of all rows."""
        return np.zeros(self.shape[0])

    @cached_property
    def entries(self) -> int:
        """How many numbers it holds."""
        return int(self.X.nnz if self.is_sparse else self.X.size)

    @cached_property
    def is_small(self) -> bool:
        """Whether NumPy goes through it, so that nothing has to be compiled for it."""
        return uncompiled.is_small(self.X)

    @cached_property
    def _parts(self) -> list[tuple[int, int]]:
        return parts(self.shape[0], self.entries)

    @property
    def stored(self) -> tuple[Array, Array, Array]:
        return self.X.data, self.X.indices, self.X.indptr

    def sweep(self, w: Array, b: float, loss: Loss, rows: Rows, z: Array, with_dual: bool = True,
              offset: Array = NO_OFFSET) -> Sums:
        """Loss and gradient at `z = Xw + b + offset`, in one pass; `z` holds the last scores, and these afterwards.

        `with_dual`: whether a dual point is wanted; without it, what belongs to one is 0, or empty.
        """
        if self.is_small and loss.in_numpy_of(self.shape[0]) is not None:
            return _sums(*total(each(lambda start, stop: uncompiled.sweep(
                start, stop, self.X, w, b, loss, *rows, offset, z, with_dual), self._parts)))
        evaluator = loss.kind.block_evaluator(rows.y, z), *loss.parameters
        if (
            not self.is_sparse
            and w.size >= WIDE_COLUMNS
            and (self.in_columns or np.count_nonzero(w) <= FEW_COEFFICIENTS * w.size)
        ):
            return _sums(*self._sweep_twice(w, b, evaluator, (*rows, offset), z, with_dual))
        about = (w, b, *evaluator, *rows, offset, z, with_dual)
        if self.is_sparse:
            work = lambda start, stop: compressed.sweep(start, stop, *self.stored, *about)
        else:
            kernel = dense.sweep_columns if self.in_columns else dense.sweep_rows
            work = lambda start, stop: kernel(start, stop, self.X, *about)
        return _sums(*total(each(work, self._parts)))

    def scores(self, w: Array, b: float, centre: Array) -> Array:
        """(X − centre) w + b; the centre of a sparse matrix is 0."""
        z = np.empty(self.shape[0])
        if self.is_small:
            work = lambda start, stop: uncompiled.scores(start, stop, self.X, w, b, centre, z)
        elif self.is_sparse:
            work = lambda start, stop: products.scores_sparse(start, stop, *self.stored, w, b, z)
        else:
            kernel = products.scores_columns if self.in_columns else products.scores_rows
            work = lambda start, stop: kernel(start, stop, self.X, w, b, centre, z)
        each(work, self._parts)
        return z

    def sums(self, v: Array, centre: Array) -> tuple[Array, float]:
        """Σ v (x − centre) over the rows, and Σ v; the centre of a sparse matrix is 0."""
        if self.is_small:
            work = lambda start, stop: uncompiled.sums(start, stop, self.X, v, centre)
        elif self.is_sparse:
            work = lambda start, stop: products.sums_sparse(start, stop, *self.stored, v, self.shape[1])
        else:
            kernel = products.sums_columns if self.in_columns else products.sums_rows
            work = lambda start, stop: kernel(start, stop, self.X, v, centre)
        g, by_b = total(each(work, self._parts))
        return g, float(by_b)

    def _sweep_twice(self, w: Array, b: float, evaluator: tuple[int, float, float], rows: tuple[Array, Array, Array],
                     z: Array, with_dual: bool) -> tuple[Array, Array]:
        """The same in a pass for the scores, over columns whose coefficient is not 0, and one for the gradient.

        `evaluator`: the address of what the loss says of rows, and its parameters. `rows`: with offsets.
        """
        chosen, count = np.flatnonzero(w), 3 if with_dual else 1
        scores, r, out = np.empty_like(z), np.empty((count, z.size)), np.empty((count, w.size))
        score = wide.scores_columns if self.in_columns else wide.scores_rows

        def evaluated(start: int, stop: int) -> tuple[Array]:
            score(start, stop, self.X, chosen, w[chosen], b, scores)
            return (wide.slopes(start, stop, *evaluator, *rows, scores, z, r),)

        sums = total(each(evaluated, parts(z.size, z.size * (chosen.size + 8))))[0]
        if self.in_columns:
            each(lambda first, last: wide.products_columns(first, last, self.X, r, out), parts(w.size, self.entries))
        else:
            out = total(each(lambda start, stop: (wide.products_rows(start, stop, self.X, r),), self._parts))[0]
        return sums, out

    def moments(self, s: Array) -> Moments:
        """Weighted mean, mean square about the mean, and greatest magnitude, by column."""
        if self.known is not None and s.size == 1:
            return self.known
        first: Any = 0.0 if self.is_sparse else np.asarray(self.X[0], np.float64)
        if self.is_sparse and not self.is_small:
            work = lambda start, stop: compressed.moments(start, stop, *self.stored, s, self.shape[1])
        else:
            kernel: Any = uncompiled.moments if self.is_small else (
                dense.moments_columns if self.in_columns else dense.moments_rows)
            work = lambda start, stop: kernel(start, stop, self.X, s)
        # Columns are long, and not to be gone through in pieces.
        if self.in_columns and self.shape[1] >= WIDE_COLUMNS:
            columns = lambda start, stop: kernel(0, self.shape[0], self.X[:, start:stop], s)
            results = each(columns, parts(self.shape[1], self.entries))
            away, squares, greatest = (np.concatenate(sums) for sums in zip(*results, strict=True))
        else:
            results = each(work, self._parts)
            away, squares = (np.sum([result[i] for result in results], axis=0) for i in (0, 1))
            greatest = np.max([result[2] for result in results], axis=0)
        # The weights' sum, which is 1 but for rounding.
        share = 1.0 if s.size > 1 else float(s[0]) * self.shape[0]
        away, squares = away / share, squares / share
        return first + away, np.maximum(squares - away**2, 0.0), greatest

    def hessian(self, loss: Loss, rows: Rows, z: Array, centre: Array, unit: Array) -> Array:
        """Σ s ℓ''(z) x̃ x̃ᵀ with x̃ = ((x − centre)·unit, 1): the lower triangle, with the intercept last."""
        return self.gram(lambda first, last, out: loss.curvatures(first, last, *rows, z, out), centre, unit)

    def gram(self, fill: Callable[[int, int, Array], None], centre: Array, unit: Array) -> Array:
        """Σ h x̃ x̃ᵀ, its lower triangle, with weights h ≥ 0 that `fill(first, last, out)` tells for a range of rows."""
        if not self.is_sparse:
            return self._gram(fill, centre, unit)

        def work(start: int, stop: int) -> tuple[Array]:
            h = np.empty(stop - start)
            fill(start, stop, h)
            part = np.zeros((self.shape[1] + 1, self.shape[1] + 1))
            self._add_gram(start, stop, h, part)
            return (part,)

        # Each holds a Hessian of its own.
        few = parts(self.shape[0], min(self.entries, 8 * 2**18))
        return _moved(total(each(work, few))[0], centre, unit)

    def add_hessian(self, loss: Loss, rows: Rows, z: Array, out: Array) -> None:
        """Add Σ s ℓ''(z) x xᵀ with x = (x, 1) to a lower triangle; for a few rows, on one core."""
        if self.is_sparse:
            h = np.empty(self.shape[0])
            loss.curvatures(0, self.shape[0], *rows, z, h)
            self._add_gram(0, self.shape[0], h, out)
        else:
            out += self.hessian(loss, rows, z, np.zeros(self.shape[1]), np.ones(self.shape[1]))

    def _add_gram(self, start: int, stop: int, h: Array, out: Array) -> None:
        """Add Σ h x xᵀ of sparse rows with a one at their end."""
        if self.is_small:
            uncompiled.add_gram(start, stop, self.X, h, out)
        else:
            compressed.add_gram(start, stop, *self.stored, h, out)

    def squares(self, rows: Rows, centre: Array, unit: Array) -> Array:
        """Σ s x̃ x̃ᵀ with x̃ = ((x − centre)·unit, 1, y), of a dense matrix."""

        def fill(first: int, last: int, out: Array) -> None:
            out[: last - first] = rows.s[first:last] if rows.s.size > 1 else rows.s[0]

        return self._gram(fill, centre, unit, rows.y)

    def _gram(self, fill: Callable[[int, int, Array], None], centre: Array, unit: Array,
              y: Array | None = None) -> Array:
        """Σ h x̃ x̃ᵀ of a dense matrix, with weights h that are filled in for a range of rows, and perhaps with y last.

        Rows are written out, block by block, for a product with themselves.
        """
        kernel: Any = uncompiled.weighted if self.is_small else (
            dense.weighted_columns if self.in_columns else dense.weighted_rows)
        columns = self.shape[1] + 1 + (y is not None)

        def product(start: int, stop: int) -> tuple[Array]:
            size = max(1, min(stop - start, max(BLOCK_ENTRIES // columns, BLOCK_MIN_ROWS)))
            block, roots = np.empty((size, columns), order="F" if self.in_columns else "C"), np.empty(size)
            out, one = np.zeros((columns, columns)), np.empty((columns, columns))
            for first in range(start, stop, size):
                last = min(first + size, stop)
                fill(first, last, roots)
                np.sqrt(roots, out=roots)
                kernel(first, last, self.X, centre, unit, roots, block)
                filled = block[: last - first]
                if y is not None:
                    filled[:, -1] = roots[: last - first] * y[first:last]
                out += np.matmul(filled.T, filled, out=one)
            return (out,)

        with one_thread_each():
            return total(each(product, parts(self.shape[0], min(self.entries, 8 * 2**18))))[0]

    def hessian_root(self, loss: Loss, rows: Rows, z: Array, centre: Array, unit: Array, V: Array) -> Array:
        """R with RᵀR = Vᵀ(Σ s ℓ''(z) x̃ x̃ᵀ)V with x̃ = ((x − centre)·unit, 1), by the QR decomposition of the rows."""

        def weighted() -> Iterator[Array]:
            for first, last, transformed_rows in self.transformed_rows(centre, unit, V):
                roots = np.empty(last - first)
                loss.curvatures(first, last, *rows, z, roots)
                yield np.sqrt(roots)[:, None] * transformed_rows

        return blockwise_qr(weighted())

    def transformed_rows(self, centre: Array, unit: Array, V: Array) -> Iterator[tuple[int, int, Array]]:
        """x̃V for one range of rows after the other, where few of the rows are written out at a time."""
        step = max(BLOCK_ENTRIES // max(V.shape), 2 * V.shape[1], BLOCK_MIN_ROWS)
        for first in range(0, self.shape[0], step):
            last = min(first + step, self.shape[0])
            part = self.X[first:last]
            product = part @ (unit[:, None] * V[:-1]) if self.is_sparse else ((part - centre) * unit) @ V[:-1]
            yield first, last, product + V[-1]

    def take(self, rows: Sequence[int] | Array) -> "Matrix":
        """A copy of some rows."""
        chosen = self.X[rows]
        return Matrix(chosen if self.is_sparse else np.ascontiguousarray(chosen))


def _sums(sums: Array, products: Array) -> Sums:
    """What a pass gives, from what kernels gave."""
    return Sums(float(sums[0]), products[0], float(sums[1]), products[1:], sums[4:6], sums[2:4], float(sums[6]))


def _moved(gram: Array, centre: Array, unit: Array) -> Array:
    """Σ h x̃ x̃ᵀ from Σ h (x, 1)(x, 1)ᵀ; lower triangles."""
    gram = np.tril(gram) + np.tril(gram, -1).T
    if centre.any():
        lift = np.eye(len(gram))
        lift[:-1, -1] = -centre
        gram = lift @ gram @ lift.T
    scale = np.append(unit, 1.0)
    return gram * scale * scale[:, None]


def blockwise_qr(blocks: Iterable[Array]) -> Array:
    """R of the QR decomposition of rows that come in blocks."""
    out = np.zeros((0, 0))
    with one_thread_each():
        for block in blocks:
            out = np.asarray(np.linalg.qr(np.vstack([out, block]) if out.size else block, mode="r"))
    return out


def shifted(X: Any, shift: Array) -> Any:
    """A sparse matrix less a number for each column, few of which are not 0: those columns become full."""
    far = np.flatnonzero(shift)
    if not far.size:
        return X
    stored = sparse.csr_array((np.ones(X.nnz, bool), X.indices, X.indptr), shape=X.shape)[:, far].toarray()
    rows, which = np.nonzero(~stored)
    data = X.data - shift[X.indices]
    away = sparse.csr_array((data, X.indices, X.indptr), shape=X.shape)
    if rows.size:
        away = away + sparse.csr_array((-shift[far][which], (rows, far[which])), shape=X.shape)
    return away
