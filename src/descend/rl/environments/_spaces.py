"""What an agent may do: choose among some actions, or a vector of numbers within bounds."""

from dataclasses import dataclass


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
