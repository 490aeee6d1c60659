"""Solving with a positive semidefinite matrix that may be nearly singular, as those of interior points are."""

import numpy as np
from scipy.linalg import blas, cho_factor, cho_solve

from descend.linear.problems.matrix import Array

REFINEMENTS = 3


class RegularisedCholesky:
    """A positive semidefinite matrix, by its lower triangle, factored with the least ridge that makes it possible."""

    def __init__(self, matrix: Array) -> None:
        self.scale = 1 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
        self.matrix = np.asfortranarray(matrix * self.scale * self.scale[:, None])
        ridge = 1e-15
        while True:
            try:
                ridged = self.matrix.copy(order="F")
                ridged[np.diag_indices(len(matrix))] += ridge
                self.factor = cho_factor(ridged, lower=True, overwrite_a=True, check_finite=False)
                return
            except np.linalg.LinAlgError:
                ridge *= 10

    def solve(self, v: Array) -> Array:
        """Its inverse times v, refined."""
        v = v * self.scale
        x = np.zeros_like(v)
        for _ in range(REFINEMENTS):
            x = x + cho_solve(self.factor, v - blas.dsymv(1.0, self.matrix, x, lower=1), check_finite=False)
        return x * self.scale
