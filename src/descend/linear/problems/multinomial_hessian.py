"""The products that the Hessian of the multinomial loss is made of, each of them once:

    Σ s x̃ᵢ x̃ⱼ (δₖₗ pₖ − pₖ pₗ)  for pairs of columns i ≤ j and pairs of classes k ≤ l

One product of matrices, of pairs of columns with pairs of classes, gives them, at half the multiplications of the
symmetric product of all columns times classes with themselves.
"""

from typing import Any

import numpy as np

from descend.linear._kernels import multinomial as kernels
from descend.linear._kernels import uncompiled_multinomial as uncompiled
from descend.linear._kernels.threads import each, one_thread_each, parts
from descend.linear._kernels.uncompiled import is_small
from descend.linear.problems.matrix import Array, Matrix
from descend.linear.problems.problem import Standardisation

# Numbers of a block of rows that is written out.
BLOCK_ENTRIES = 2**17
# Of columns, in such a block.
PAIR_COLUMNS = 256


def products(matrix: Matrix, standardisation: Standardisation, s: Array, z: Array) -> Array:
    """By two columns and two classes; `s`: weights of rows, or one for all."""
    (rows, columns), classes = matrix.shape, z.shape[1]
    # Each has sums of its own.
    few = parts(rows, min(rows * (columns + 1) * classes, 8 * kernels.ONE_CORE_PRODUCT))
    with one_thread_each():
        out, *others = each(lambda start, stop: _of_part(matrix, standardisation, s, z, start, stop), few)
    for more in others:
        out += more
    return out[_places(columns + 1)][..., _places(classes)]


def class_blocks(matrix: Matrix, standardisation: Standardisation, s: Array, p: Array) -> Array:
    """Σ s pₖ(1 − pₖ) x̃ x̃ᵀ of each class k, of which p are the probabilities: lower triangles."""

    def block(share: Array) -> Array:
        def fill(first: int, last: int, out: Array) -> None:
            out[: last - first] = share[first:last] * (1 - share[first:last]) * (s[first:last] if s.size > 1 else s[0])

        return matrix.gram(fill, *standardisation)

    return np.stack([block(share) for share in p.T])


def _of_part(matrix: Matrix, standardisation: Standardisation, s: Array, z: Array, start: int, stop: int) -> Array:
    """Of a part of the rows, which are written out block by block, and so are their pairs of columns."""
    centre, unit = standardisation
    small = is_small(matrix.X, z.shape[1])
    products: Any = uncompiled if small else kernels
    width, class_pairs = matrix.shape[1] + 1, _pairs(z.shape[1])
    step = max(32, min(stop - start, BLOCK_ENTRIES // max(PAIR_COLUMNS, width, class_pairs)))
    block, curved = np.empty((step, width)), np.empty((step, class_pairs))
    crossed = np.empty(step * max(PAIR_COLUMNS, width))
    out = np.zeros((_pairs(width), class_pairs))
    for first in range(start, stop, step):
        last = min(first + step, stop)
        rows, curvatures = block[: last - first], curved[: last - first]
        if small:
            uncompiled.written(first, last, matrix.X, centre, unit, rows)
        elif matrix.is_sparse:
            data, indices, indptr = matrix.stored
            kernels.sparse_rows(first, last, data, indices, indptr, unit, rows)
        else:
            kernels.written(first, last, matrix.X, matrix.in_columns, centre, unit, rows)
        products.curvatures(first, last, s, z, curvatures)
        begin = 0
        # Pairs of some columns with those before them.
        while begin < width:
            end = begin + 1
            while end < width and _pairs(end + 1) - _pairs(begin) <= PAIR_COLUMNS:
                end += 1
            pairs = crossed[: len(rows) * (_pairs(end) - _pairs(begin))].reshape(len(rows), -1)
            products.crossed(rows, begin, end, pairs)
            out[_pairs(begin) : _pairs(end)] += pairs.T @ curvatures
            begin = end
    return out


def _pairs(count: int) -> int:
    """How many pairs there are of so many, each with itself and those before it."""
    return count * (count + 1) // 2


def _places(count: int) -> Array:
    """Of each two, the place of their pair."""
    greater = np.maximum.outer(np.arange(count), np.arange(count))
    return greater * (greater + 1) // 2 + np.minimum.outer(np.arange(count), np.arange(count))
