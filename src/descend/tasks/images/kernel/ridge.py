"""Ridge regression on the columns of a matrix, with what it would say of each row had it not learnt from it.

    min over B of ‖Y − Φ B‖² + penalty ‖B‖²

is solved for all penalties by one decomposition, ΦᵀΦ = V S Vᵀ. Without row i, the residual of row i is what it is with
it, divided by 1 − hᵢ, where hᵢ = φᵢᵀ (ΦᵀΦ + penalty)⁻¹ φᵢ: exactly, and without another fit.

Reference: Allen, "The relationship between variable selection and data augmentation and a method for prediction",
Technometrics 1974.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import linalg

# Of 1 − h: a row that is fitted whatever it says tells nothing without itself.
LEAST_FREEDOM = 1e-9


@dataclass(frozen=True)
class Decomposed:
    """Columns `Φ` and targets `Y`, decomposed: `rotated` is Φ V, `answers` is Vᵀ Φᵀ Y."""

    vectors: Float[np.ndarray, "columns columns"]
    values: Float[np.ndarray, "columns"]
    rotated: Float[np.ndarray, "n columns"]
    answers: Float[np.ndarray, "columns outputs"]
    targets: Float[np.ndarray, "n outputs"]

    @classmethod
    def of(cls, columns: np.ndarray, targets: np.ndarray) -> "Decomposed":
        """The decomposition for all penalties."""
        values, vectors = linalg.eigh(columns.T @ columns)
        rotated = columns @ vectors
        return cls(vectors, np.maximum(values, 0.0), rotated, rotated.T @ targets, targets)

    def coefficients(self, penalty: float) -> Float[np.ndarray, "columns outputs"]:
        """The minimum, B."""
        return self.vectors @ (self.answers / (self.values + penalty)[:, None])

    def without_each(self, penalty: float) -> Float[np.ndarray, "n outputs"]:
        """What is said of each row by the minimum over all others."""
        weights = 1 / (self.values + penalty)
        residuals = self.targets - self.rotated @ (weights[:, None] * self.answers)
        freedom = np.maximum(1 - np.square(self.rotated) @ weights, LEAST_FREEDOM)
        return self.targets - residuals / freedom[:, None]
