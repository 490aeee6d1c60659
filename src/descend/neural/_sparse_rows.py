"""Rows that are mostly zeros, as a network takes them: which columns are none, and what is there."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import sparse

# To take a row of a matrix by its number costs as much as so many columns of a product.
GATHER_COST = 8


class SparseRows(NamedTuple):
    """Rows as columns' numbers and values, all as long as the longest is: what is missing is column 0 with a 0."""

    columns: Any
    values: Any

    @classmethod
    def of(cls, X: Any, usual: int = 0) -> "SparseRows":
        """Those of a matrix of scipy in rows, in single precision; `usual`: how long they are, if that is enough."""
        lengths = np.diff(X.indptr)
        longest = int(lengths.max(initial=1))
        # A power of two, so that few programs serve whatever is predicted.
        width = usual if longest <= usual else 2 ** max(longest - 1, 0).bit_length()
        there = np.arange(width) < lengths[:, None]
        columns, values = np.zeros(there.shape, np.int32), np.zeros(there.shape, np.float32)
        columns[there], values[there] = X.indices, X.data
        return cls(columns, values)

    def times(self, matrix: Array) -> Array:
        """The product with a matrix."""
        rows = matrix.at[self.columns].get(mode="promise_in_bounds")
        return jnp.einsum("bl,blc->bc", self.values, rows)


def units_of(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """What is taken away from the columns of a sparse matrix, nothing, as zeros would fill up; and their largest
    absolute values, by which they are divided."""
    largest = np.asarray(abs(X).max(axis=0).todense(), np.float64).ravel()
    return np.zeros(X.shape[1]), np.where(largest > 0, largest, 1.0)


def in_rows(X: Any) -> "SparseRows | np.ndarray":
    """A sparse matrix as it costs less: by its columns, or with all zeros."""
    X = sparse.csr_array(X)
    longest = int(np.diff(X.indptr).max(initial=1))
    return SparseRows.of(X) if is_shorter(longest, X.shape[1]) else X.toarray().astype(np.float32)


def is_shorter(longest: int, columns: int) -> bool:
    """Whether rows cost less by their columns, of which they have so many at most, than with all zeros."""
    return GATHER_COST * longest < columns
