"""Columns that are 0 everywhere are left out, as hashed features mostly are: a Hessian of the others is then small."""

from typing import Any

import numpy as np
from scipy import sparse

from descend.linear._matrix import Matrix, Moments
from descend.linear._problem import Among
from descend.linear._solve import SMALL


def compact(X: Any, known: Moments | None = None) -> tuple[Matrix, Among | None]:
    """A matrix without columns of zeros, and which those are that it has; all of them, if there is little to win.

    `known`: see `Matrix`, of a dense one.
    """
    if not sparse.issparse(X) or X.shape[1] < SMALL:
        return Matrix(X, known), None
    used = np.zeros(X.shape[1], bool)
    used[X.indices] = True
    places = np.flatnonzero(used)
    if places.size >= SMALL:
        return Matrix(X), None
    place = np.zeros(X.shape[1], X.indices.dtype)
    place[places] = np.arange(places.size)
    fewer = sparse.csr_array((X.data, place[X.indices], X.indptr), shape=(X.shape[0], places.size))
    return Matrix(fewer), Among(X.shape[1], places)
