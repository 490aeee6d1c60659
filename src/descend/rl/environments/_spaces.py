"""What an agent may do: choose among some actions, or a vector of numbers within bounds."""

import math
from dataclasses import dataclass

# Half the width of an interval that suits a policy whose spread is 1 at first. A narrower one would be left at once by
# most samples, and a wider one not explored.
SUITABLE_HALF_WIDTHS = 0.1, 4.0


@dataclass(frozen=True)
class Discrete:
    """The actions 0, 1, …, n − 1."""

    n: int


@dataclass(frozen=True)
class Box:
    """Vectors between `low` and `high`, which have a number for each component; an infinite one is no bound."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an action."""
        return (len(self.low),)

    @property
    def units(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Where a policy's 0 lies, and how long its 1 is: in the middle, and half the width, of what is far from ±1.

        A policy begins with means near 0 and spreads of 1. An interval is far from that if it does not have 0 in it, or
        is more than four times as wide as ±1, or less than a tenth; others are left as they are, as is what has no end.
        """
        centres, units = [], []
        for low, high in zip(self.low, self.high, strict=True):
            centre, unit = low / 2 + high / 2, high / 2 - low / 2
            is_near = abs(centre) <= unit and SUITABLE_HALF_WIDTHS[0] <= unit <= SUITABLE_HALF_WIDTHS[1]
            changes = not is_near and 0 < unit < math.inf
            centres.append(centre if changes else 0.0)
            units.append(unit if changes else 1.0)
        return tuple(centres), tuple(units)
