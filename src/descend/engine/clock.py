"""The time of a descent: how long its parts take, so that there is room for those that come after its last step."""

import time
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")
SHARE = 50  # the time is this many times that which saving takes, at the least


class Clock:
    """Counts the seconds between two looks at it, and remembers how long each kind of work took the last time."""

    def __init__(self) -> None:
        self._looked = self._saved = time.perf_counter()
        self._took: dict[str, float] = {}

    def start(self) -> None:
        """Count from now on."""
        self._looked = time.perf_counter()

    def passed(self) -> float:
        """The seconds since the last look."""
        before, self._looked = self._looked, time.perf_counter()
        return self._looked - before

    def time(self, work: str, action: Callable[[], R]) -> R:
        """Do some work, and remember how long it takes."""
        begin = time.perf_counter()
        result = action()
        self._took[work] = time.perf_counter() - begin
        return result

    def is_due(self, every: float) -> bool:
        """Whether to save again: not too often, and for no more than a fiftieth of the time. If so, that is noted."""
        now = time.perf_counter()
        is_due = now - self._saved >= max(every, SHARE * self._took.get("save", 0.0))
        self._saved = now if is_due else self._saved
        return is_due

    def needed(self, *works: str) -> float:
        """How long a work will take: as long as the last time, or as the next of these, if it was not done yet."""
        return next((self._took[work] for work in works if work in self._took), 0.0)
