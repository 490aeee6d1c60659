"""Running means and variances, by which observations and rewards are brought to one size."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from descend._arrays import namespace
from descend._scaling import unit_of
from descend.rl._types import Array

# In spreads: a number that is farther from the mean is cut down to this. Before much is known of the spread, a single
# rare observation would otherwise be far outside of all that the network has seen.
CLIP_AT = 10.0
# The precision of observations, which are single: a smaller spread is rounding.
SINGLE_PRECISION = 2.0**-23


class Moments(NamedTuple):
    """The mean and the variance of what has been seen, and how much that was."""

    mean: Any
    variance: Any
    count: Any

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> "Moments":
        """Those that change nothing, as long as nothing was seen."""
        return cls(jnp.zeros(shape), jnp.ones(shape), jnp.zeros(()))

    def merged(self, rows: Array) -> "Moments":
        """The moments with more rows taken in; by Chan, Golub and LeVeque's formula, which does not cancel."""
        xp = namespace(rows)
        more = xp.float32(len(rows))
        total = self.count + more
        # 1. The moments of the new rows, as they lie from the first of them: of equal rows this is 0, and not rounding.
        away = rows - rows[0]
        mean, variance = rows[0] + away.mean(axis=0), away.var(axis=0)
        # 2. Both together: the squares around each mean, and what the distance of the two means adds to them. Sums of x
        #    and of x² would be simpler, but their difference loses all digits where the mean is large by the spread.
        gap = mean - self.mean
        squares = self.variance * self.count + variance * more + gap**2 * self.count * more / total
        return Moments(self.mean + gap * (more / total), squares / total, total)

    def normalized(self, rows: Array) -> Array:
        """Rows minus the mean, divided by the spread."""
        return self.scaled(rows - self.mean)

    def scaled(self, rows: Array) -> Array:
        """Rows divided by the spread."""
        return namespace(rows).clip(rows / unit_of(self.mean, self.variance, SINGLE_PRECISION), -CLIP_AT, CLIP_AT)


def normalized(moments: Moments | None, rows: Array) -> Array:
    """Rows by their moments, where there are any; as floating-point numbers."""
    rows = namespace(rows).asarray(rows, dtype=namespace(rows).float32)
    return rows if moments is None else moments.normalized(rows)
