"""Matrices, and arrays seen as matrices along one of their axes, in any array world."""

import math
from typing import Any

from descend._arrays import Array, Scalar, namespace
from descend.optimizers._modifier import wide_dtype


def wide(x: Array) -> Any:
    """The array in float32, if it has fewer bits: no linear algebra is there for those."""
    return namespace(x).asarray(x, dtype=wide_dtype(x))


def transposed(x: Array) -> Any:
    """A matrix, or each of a stack, on its side."""
    return namespace(x).swapaxes(x, -1, -2)


def gram_along(x: Array, axis: int) -> Any:
    """The sum of `v vᵀ` over all of the array's vectors along an axis."""
    columns = _unfolded(x, axis)
    return columns @ transposed(columns)


def zeros_along(x: Array, axis: int) -> Any:
    """The same sum over no vectors: zeros."""
    column = _unfolded(namespace(x).zeros_like(x), axis)[:, :1]
    return column @ transposed(column)


def applied(matrix: Array, x: Array, axis: int) -> Any:
    """A matrix times each of the array's vectors along an axis."""
    # Along the last axis it is one product on the array as it lies, without a transposition.
    if axis == len(x.shape) - 1:
        return x @ transposed(matrix)
    xp = namespace(x)
    moved = xp.moveaxis(x, axis, 0)
    return xp.moveaxis((matrix @ _unfolded(x, axis)).reshape(moved.shape), 0, axis)


def inverse_power(matrix: Array, exponent: Scalar, eps: Scalar) -> Any:
    """`(matrix + ε I)^(−exponent)` of a positive semidefinite matrix."""
    xp = namespace(matrix)
    values, vectors = xp.linalg.eigh(matrix)
    # Rounding may have made eigenvalues negative, whose roots are no numbers.
    values = xp.clip(values, 0, None) + eps
    return (vectors * values**-exponent) @ transposed(vectors)


def eigenbasis(matrix: Array, rank: int) -> Any:
    """Eigenvectors, as rows, of a positive semidefinite matrix that has at most this rank.

    Those of its null space are arbitrary, and each library has others. To be the same everywhere, they are what a QR
    decomposition completes the other eigenvectors with, which does not depend on their signs.
    """
    linalg = namespace(matrix).linalg
    _, vectors = linalg.eigh(matrix)
    first = matrix.shape[0] - rank
    return transposed(linalg.qr(vectors[:, first:], mode="complete")[0] if first > 0 else vectors)


def eigenbasis_near(matrix: Array, basis: Array) -> Any:
    """A matrix's eigenvectors, as rows, by one step of power iteration from a basis, each in the place that it had.

    The directions that grow most are orthogonalised first.
    """
    xp = namespace(matrix)
    grown = basis @ matrix
    order = xp.argsort(-xp.sum(basis * grown, 1))
    return transposed(xp.linalg.qr(transposed(grown[order]))[0])[xp.argsort(order)]


def _unfolded(x: Array, axis: int) -> Any:
    """The array as a matrix, whose columns are its vectors along an axis."""
    # Not −1, which is not known of an array without elements.
    others = math.prod(n for i, n in enumerate(x.shape) if i != axis)
    return namespace(x).moveaxis(x, axis, 0).reshape(x.shape[axis], others)
