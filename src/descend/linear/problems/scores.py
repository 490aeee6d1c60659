"""Scores of rows, without a copy of the matrix in another precision."""

from typing import Any

import numpy as np
from scipy import sparse

from descend.linear.problems.matrix import Array

# Numbers of a block that is converted.
CONVERTED_ENTRIES = 2**20


def scores_of(X: Any, w: Array, b: Any) -> Array:
    """Xwᵀ + b: a column for each row of w."""
    w = np.asarray(w, np.float64)
    if sparse.issparse(X) or X.dtype == np.float64:
        return np.asarray(X @ w.T) + b
    size = max(1, CONVERTED_ENTRIES // max(X.shape[1], 1))
    out = np.empty((X.shape[0], len(w)))
    for start in range(0, len(out), size):
        out[start : start + size] = X[start : start + size].astype(np.float64) @ w.T + b
    return out
