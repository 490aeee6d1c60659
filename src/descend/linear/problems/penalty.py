"""What coefficients cost beside the loss."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descend.linear.problems.matrix import Array


@dataclass(frozen=True, eq=False)
class Penalty:
    """Ω(w) = Σ l2 w²/2 + Σ l1 |w|: a square and a magnitude of each coefficient, with a weight for each column.

    It is of the user's coefficients w; solvers see v = w / unit, and ask for the penalty in these. The contract is what
    they ask: `value` and `gradient` (of the squares alone), `curvature` and `threshold` by coordinate, `conjugate`, and
    which kind of solver there is work for (`is_smooth`, `is_strict`, `is_none`). The intercept is never penalised.
    """

    l2: Array
    l1: Array

    @classmethod
    def ridge(cls, l2: Array) -> "Penalty":
        """Squares alone."""
        return cls(l2, np.zeros_like(l2))

    @classmethod
    def even(cls, columns: int, l2: float, l1: float = 0.0) -> "Penalty":
        """The same for all columns."""
        return cls(np.full(columns, float(l2)), np.full(columns, float(l1)))

    @cached_property
    def is_smooth(self) -> bool:
        """Whether it has a gradient everywhere: there are no magnitudes."""
        return not self.l1.any()

    @cached_property
    def is_strict(self) -> bool:
        """Whether each coefficient's square has a weight: then w follows from a dual point, which has no constraint."""
        return bool((self.l2 > 0).all())

    @cached_property
    def is_none(self) -> bool:
        """Whether there is none: then a loss may fall for ever."""
        return not (self.l2.any() or self.l1.any())

    def value(self, w: Array) -> float:
        """Ω(w)."""
        return 0.5 * float(np.sum(self.l2 * w * w)) + float(np.sum(self.l1 * np.abs(w)))

    def gradient(self, w: Array) -> Array:
        """Of the squares; solvers meet the magnitudes by `threshold`."""
        return self.l2 * w

    def curvature(self, unit: Array) -> Array:
        """The squares' second derivative by v = w / unit."""
        return self.l2 * unit**2

    def threshold(self, unit: Array) -> Array:
        """What |v| weighs, v = w / unit: a slope of less than this leaves a coefficient at 0."""
        return self.l1 * unit

    def conjugate(self, q: Array) -> float:
        """Ω*(q) = max_w q·w − Ω(w) = Σ max(|q| − l1, 0)²/(2 l2), at slopes that columns without a square allow.

        Where l2 is 0 a slope beyond l1 would make it infinite: who asks has scaled the slopes down before.
        """
        free = self.l2 == 0
        rest = np.maximum(np.abs(q[~free]) - self.l1[~free], 0.0)
        return float(np.sum(0.5 * rest**2 / self.l2[~free]))

    def of_columns(self, columns: Array) -> "Penalty":
        """That of some columns."""
        return Penalty(self.l2[columns], self.l1[columns])
