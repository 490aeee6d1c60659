"""The slopes that penalties have where a coefficient is 0: as long as the loss's slope is among these, it stays there.

An l1 penalty has those from −l1 to l1. A coefficient that must not be negative is held at 0 by any slope from below:
the least is −∞. An intercept, and a coefficient without such a penalty, have 0 alone.

Reference: Parikh and Boyd (2014), "Proximal algorithms", sections 2.3 and 6.5.
"""

from typing import NamedTuple

import numpy as np

from descend.linear.problems.matrix import Array


class Subdifferential(NamedTuple):
    """The least and the greatest slope at 0, by coordinate."""

    lower: Array
    upper: Array

    def of(self, chosen: Array) -> "Subdifferential":
        """Those of some coordinates."""
        return Subdifferential(self.lower[chosen], self.upper[chosen])

    def proximal(self, u: Array, step: float) -> Array:
        """argmin of the penalties, times the step, and half the squared distance to u."""
        return u - np.clip(u, step * self.lower, step * self.upper)

    def excess(self, gradient: Array) -> Array:
        """By how much the loss's slope exceeds what holds a coefficient at 0; negative where it does not."""
        return np.maximum(-gradient - self.upper, gradient + self.lower)

    def slopes(self, u: Array) -> Array:
        """Those of coefficients that are not 0; 0 for the others."""
        return np.where(u > 0, self.upper, np.where(u < 0, self.lower, 0.0))

    def least_subgradient(self, u: Array, gradient: Array) -> Array:
        """Of the loss and penalties together, the subgradient nearest to 0."""
        return gradient + np.where(u == 0, np.clip(-gradient, self.lower, self.upper), self.slopes(u))
