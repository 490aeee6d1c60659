"""A sparse matrix as solvers want it: without columns that are 0 everywhere, and without columns far from 0.

Hashed features are mostly 0 everywhere: a Hessian of the others is small. A column whose numbers differ little beside
their mean is next to a multiple of the intercept; as nothing is centred in a sparse matrix, its mean is taken away
here. It has hardly a zero, so that nothing but a copy of the numbers is lost.
"""

from typing import Any

import numpy as np
from scipy import sparse

from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.matrix import Array, Matrix, Moments, shifted
from descend.linear.problems.problem import Support

# Spreads: a mean that is further from 0 is taken away.
FAR_SPREADS = 30.0


def compact(X: Any, known: Moments | None = None, intercept: bool = True) -> tuple[Matrix, Support | None]:
    """The matrix, and which of the user's columns it has, if not all of them.

    Zeros are left out where there is something to win, and means taken away where there is an `intercept`. `known`:
    see `Matrix`, of a dense one.
    """
    if not sparse.issparse(X):
        return Matrix(X, known), None
    X, support = _without_zeros(X)
    return (centred(X) if intercept else Matrix(X)), support


def centred(X: Any) -> Matrix:
    """A sparse matrix less the means of columns that are far from 0."""
    moments = Matrix(X).moments(np.array([1 / X.shape[0]]))
    shift = far_means(*moments[:2])
    return Matrix(shifted(X, shift), shift=shift, dtype=X.dtype) if shift.any() else Matrix(X, moments)


def far_means(mean: Array, variance: Array) -> Array:
    """The means that are far from 0, and 0 for the others."""
    return np.where(mean**2 > FAR_SPREADS**2 * variance, mean, 0.0)


def _without_zeros(X: Any) -> tuple[Any, Support | None]:
    if X.shape[1] < DENSE_HESSIAN:
        return X, None
    used = np.zeros(X.shape[1], bool)
    used[X.indices] = True
    places = np.flatnonzero(used)
    if places.size >= DENSE_HESSIAN:
        return X, None
    place = np.zeros(X.shape[1], X.indices.dtype)
    place[places] = np.arange(places.size)
    fewer = sparse.csr_array((X.data, place[X.indices], X.indptr), shape=(X.shape[0], places.size))
    return fewer, Support(X.shape[1], places)
