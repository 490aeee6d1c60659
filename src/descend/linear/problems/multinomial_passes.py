"""Passes over the rows of a multinomial problem: by Numba's kernels, or in NumPy where the matrix is small."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from descend.linear._kernels import columns, uncompiled_multinomial
from descend.linear._kernels import multinomial as compiled
from descend.linear._kernels.threads import each, parts, total
from descend.linear._kernels.uncompiled import is_small
from descend.linear.problems.matrix import Array, Matrix, Rows
from descend.linear.problems.problem import Standardisation


class Pass(NamedTuple):
    """Loss and its gradient by u; of the dual point Σ s Σ p log p and x̃ᵀ s r."""

    value: float
    gradient: Array
    conjugate: float
    dual: Array


class _Products(NamedTuple):
    """What goes over a matrix of one kind, after how that is stored."""

    sweep: Callable[..., Any]
    scores: Callable[..., Any]
    sums: Callable[..., Any]
    stored: tuple[Any, ...]


@dataclass(frozen=True)
class MultinomialPasses:
    """Of rows x̃ = ((x − centre)·unit, 1) and coefficients V, the classes of a column beside each other."""

    matrix: Matrix
    standardisation: Standardisation
    rows: Rows
    classes: int

    @cached_property
    def _is_small(self) -> bool:
        return is_small(self.matrix.X, self.classes)

    @cached_property
    def _products(self) -> _Products:
        X, (centre, unit) = self.matrix.X, self.standardisation
        if self._is_small:
            plain = uncompiled_multinomial
            return _Products(plain.sweep, plain.scores, plain.sums, (X, centre, unit))
        if self.matrix.is_sparse:
            return _Products(compiled.sweep_sparse, columns.scores_sparse, columns.sums_sparse,
                             (*self.matrix.stored, unit))
        return _Products(compiled.sweep_dense, columns.scores_dense, columns.sums_dense,
                         (X, self.matrix.in_columns, centre, unit))

    @property
    def _by_row(self) -> Any:
        """What goes over scores and probabilities."""
        return uncompiled_multinomial if self._is_small else compiled

    @cached_property
    def _ranges(self) -> list[tuple[int, int]]:
        """Ranges of rows for a pass; as each has a gradient of its own, no more than are soon added up."""
        work, size = self.matrix.entries * self.classes, (self.matrix.shape[1] + 1) * self.classes
        return parts(self.matrix.shape[0], min(work, compiled.ONE_CORE_PRODUCT * max(2, work // (8 * size))))

    def sweep(self, V: Array, z: Array, with_dual: bool) -> Pass:
        """Loss and gradient, and a dual point; `z` holds the last scores, and those of V afterwards."""
        products = self._products
        work = lambda start, stop: products.sweep(start, stop, *products.stored, V, *self.rows, with_dual, z)
        (sums, G, Q), *others = each(work, self._ranges)
        for more, by_G, by_Q in others:
            sums += more
            G += by_G
            Q += by_Q
        return Pass(float(sums[0]), G, float(sums[1]), Q if with_dual else G)

    def scores(self, V: Array, out: Array) -> Array:
        """Of all rows."""
        products = self._products
        each(lambda start, stop: products.scores(start, stop, *products.stored, V, out),
             parts(len(out), self.matrix.entries * self.classes))
        return out

    def sums(self, R: Array) -> Array:
        """Σ x̃ rᵀ over all rows."""
        products = self._products
        out, *others = each(lambda start, stop: products.sums(start, stop, *products.stored, R), self._ranges)
        for more in others:
            out += more
        return out

    def probabilities(self, z: Array, p: Array) -> float:
        """The loss of scores z, whose probabilities p become; it may be z itself."""
        work = lambda start, stop: self._by_row.probabilities(start, stop, *self.rows, z, p)
        return float(total(each(work, parts(len(z), 8 * z.size)))[0])

    def tilted(self, factor: Array, p: Array) -> tuple[float, Array, Array]:
        """Of q, p times the factors of the classes and divided by its sum: Σ s log(that sum), Σ s q and Σ s q qᵀ."""
        work = lambda start, stop: self._by_row.tilted(start, stop, factor, self.rows.s, p)
        level, shares, products = total(each(work, self._ranges_of(p)))
        return float(level), shares, products

    def tilt(self, factor: Array, p: Array) -> None:
        """p ← p times the factors of the classes, divided by its sum."""
        each(lambda start, stop: self._by_row.tilt(start, stop, factor, p), self._ranges_of(p))

    def _ranges_of(self, p: Array) -> list[tuple[int, int]]:
        return parts(len(p), p.size * self.classes)

    def class_sums(self) -> Array:
        """Σ s x̃ of the rows of each class."""
        y, s = self.rows
        R = np.zeros((len(y), self.classes))
        R[np.arange(len(y)), y] = s if s.size > 1 else s[0]
        return self.sums(R)
