"""What coefficients cost beside the loss."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descend.linear.problems.matrix import Array


@dataclass(frozen=True, eq=False)
class Penalty:
    """Ω(w) = Σ l2 w²/2 + Σ l1 |w|: a square and a magnitude of each coefficient, with a weight for each column; if
    `positive`, of w ≥ 0 alone.

    It is of the user's coefficients w; solvers see v = w / unit, and ask for the penalty in these. The contract is what
    they ask: `value` and `gradient` (of the squares alone), `curvature` and `threshold` by coordinate, `pull` and
    `conjugate` for a bound, and which kind of solver there is work for (`is_smooth`, `is_strict`, `free`). The
    intercept is never penalised.
    """

    l2: Array
    l1: Array
    positive: bool = False

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
        """Whether it has a gradient everywhere: there are no magnitudes, and no bound."""
        return not (self.l1.any() or self.positive)

    @cached_property
    def is_strict(self) -> bool:
        """Whether each coefficient's square has a weight: then w follows from a dual point, which has no constraint."""
        return bool((self.l2 > 0).all())

    @cached_property
    def free(self) -> Array:
        """Which columns have none: along these a loss may fall for ever."""
        return (self.l2 == 0) & (self.l1 == 0)

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

    def pull(self, q: Array) -> Array:
        """How strongly q draws coefficients away from 0; if they must not be negative, by one sign alone."""
        return q if self.positive else np.abs(q)

    def conjugate(self, q: Array) -> float:
        """Ω*(q) = max_w q·w − Ω(w) = Σ max(pull(q) − l1, 0)²/(2 l2), at a q that columns without a square allow.

        Where l2 is 0, a pull beyond l1 would make it infinite: who asks has scaled q down before.
        """
        curved = self.l2 != 0
        rest = np.maximum(self.pull(q)[curved] - self.l1[curved], 0.0)
        return float(np.sum(0.5 * rest**2 / self.l2[curved]))

    def of_columns(self, columns: Array) -> "Penalty":
        """That of some columns."""
        return Penalty(self.l2[columns], self.l1[columns], self.positive)
