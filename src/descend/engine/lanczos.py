"""Lanczos's method: what products with a symmetric matrix tell of its eigenvalues."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Of the vectors that are held, at the most.
MAX_NUMBERS = 2**25
# The largest number of a product whose square can still be summed.
MAX_PRODUCT = 1e140


@dataclass(frozen=True)
class Krylov:
    """A symmetric matrix H as it is among `v, Hv, H²v, …`.

    `basis`: orthonormal rows, of which the first is along v. `values`: Ritz values, in rising order; `within`: their
    vectors in the basis, as columns. `beside`: how far H leads out of these vectors from the last of them; 0 where the
    space is whole, as far as rounding tells.
    """

    basis: np.ndarray
    values: np.ndarray
    within: np.ndarray
    beside: float

    @property
    def vectors(self) -> np.ndarray:
        """Ritz vectors, as columns."""
        return self.basis.T @ self.within

    def vector(self, i: int) -> np.ndarray:
        """The i-th of them."""
        return self.basis.T @ self.within[:, i]

    @property
    def residuals(self) -> np.ndarray:
        """`|H y − θ y|` of each Ritz pair: so near, there is an eigenvalue."""
        return self.beside * np.abs(self.within[-1])

    @property
    def weights(self) -> np.ndarray:
        """The share that v has in each Ritz vector, squared: the nodes and weights of a Gauss quadrature."""
        return self.within[0] ** 2


def lanczos(product: Callable[[np.ndarray], np.ndarray], start: np.ndarray, most: int, epsilon: float) -> Krylov | None:
    """Up to so many products, from a vector that is not 0; `None` if one of them is not finite, or overflows.

    `epsilon`: the products' rounding error. Each new vector is made orthogonal to all before it: without that, rounding
    lets eigenvalues that were found be found again, as if there were several.

    References: Lanczos, "An iteration method for the solution of the eigenvalue problem", 1950; Parlett, "The symmetric
    eigenvalue problem", 1980, chapter 13.
    """
    most = max(2, min(most, len(start), MAX_NUMBERS // len(start)))
    basis = np.empty((most, len(start)))
    diagonal: list[float] = []
    beside: list[float] = []
    following = start / np.linalg.norm(start)
    while len(diagonal) < most:
        k = len(diagonal)
        basis[k] = following
        w, known = product(following), basis[: k + 1]
        if not np.abs(w).max() < MAX_PRODUCT:
            return None
        diagonal.append(float(following @ w))
        for _ in range(2):  # as once leaves what rounding has left
            w = w - known.T @ (known @ w)
        beside.append(float(np.linalg.norm(w)))
        if not beside[-1] > 10 * epsilon * max(map(abs, diagonal)):
            beside[-1] = 0.0
            break
        following = w / beside[-1]
    k = len(diagonal)
    small = np.diag(diagonal) + np.diag(beside[: k - 1], 1) + np.diag(beside[: k - 1], -1)
    values, within = np.linalg.eigh(small)
    return Krylov(basis[:k], values, within, beside[-1])
