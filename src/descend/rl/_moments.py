"""Running means and variances, by which observations and rewards are brought to one size."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from descend._arrays import namespace
from descend._scaling import unit_of

LARGEST = 10.0  # a number that is farther from the mean, in spreads, is cut down to this
EPS = 2.0**-23  # of observations, which are in single precision


class Moments(NamedTuple):
    """The mean and the variance of what has been seen, and how much that was."""

    mean: Any
    variance: Any
    count: Any

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> "Moments":
        """Those that change nothing, as long as nothing was seen."""
        return cls(jnp.zeros(shape), jnp.ones(shape), jnp.zeros(()))

    def merged(self, rows: Any) -> "Moments":
        """The moments with more rows taken in; by Chan, Golub and LeVeque's formula, which does not cancel."""
        xp = namespace(rows)
        more = xp.float32(len(rows))
        total = self.count + more
        away = rows - rows[0]  # of equal rows 0, and not rounding
        mean, variance = rows[0] + away.mean(axis=0), away.var(axis=0)
        gap = mean - self.mean
        squares = self.variance * self.count + variance * more + gap**2 * self.count * more / total
        return Moments(self.mean + gap * (more / total), squares / total, total)

    def normalized(self, rows: Any) -> Any:
        """Rows minus the mean, divided by the spread."""
        return self.scaled(rows - self.mean)

    def scaled(self, rows: Any) -> Any:
        """Rows divided by the spread."""
        return namespace(rows).clip(rows / unit_of(self.mean, self.variance, EPS), -LARGEST, LARGEST)


def normalized(moments: Moments | None, rows: Any) -> Any:
    """Rows by their moments, where there are any; as floating-point numbers."""
    rows = namespace(rows).asarray(rows, dtype=namespace(rows).float32)
    return rows if moments is None else moments.normalized(rows)
