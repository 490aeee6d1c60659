"""The time of a descent: all that goes on in it is counted, and there is room for what comes after the last step."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from descend._processes import ALONE, Processes
from descend._tree import Tree
from descend.engine.interruption import Interruption
from descend.engine.train_state import TrainState
from descend.stopping import Reason

R = TypeVar("R")
# Of parameters and state: `loss`, and what else to know.
Validate = Callable[[Tree, Tree], Mapping[str, float]]
# Times the seconds that there are, within which all that comes after the last step has to end.
LATE_FACTOR = 1.1
# The time is this many times that which saving takes, at the least.
MIN_SAVE_FACTOR = 50


class Clock:
    """Counts the seconds between two looks at it, and remembers how long each kind of work took the last time.

    Several processes have one clock, that of the first, which stands still between the moments at which they `meet`.
    There they also learn of each other's signals. So whatever is decided by time or signals is decided by all alike.
    """

    def __init__(self, processes: Processes = ALONE) -> None:
        self._processes = processes
        # Set by whoever asks this process for the end.
        self.interruption = Interruption()
        self._met = time.perf_counter()
        self._looked = self._saved = self.now()
        self._took: dict[str, float] = {}
        self._asked = ""

    def now(self) -> float:
        """The time, in seconds."""
        return self._met if self._processes.are_several else time.perf_counter()

    def meet(self) -> float:
        """The time, as all processes have it from now on."""
        if self._processes.are_several:
            told = self._processes.gathered((time.perf_counter(), self._heard))
            self._met = told[0][0]
            self._asked = next((f"{by} in process {i}" for i, (_, by) in enumerate(told) if by), "")
        return self.now()

    @property
    def asked(self) -> str:
        """How somebody has asked for the end, in some process; empty if nobody did."""
        return self._asked if self._processes.are_several else self._heard

    @property
    def _heard(self) -> str:
        return self.interruption.by if self.interruption.is_set() else ""

    def start(self) -> None:
        """Count from now on."""
        self._looked = self.now()

    def passed(self) -> float:
        """The seconds since the last look."""
        before, self._looked = self._looked, self.now()
        return self._looked - before

    def time(self, work: str, action: Callable[[], R]) -> R:
        """Do some work, and remember how long it takes."""
        begin = self.meet()
        result = action()
        self._took[work] = self.meet() - begin
        return result

    def is_due(self, every: float) -> bool:
        """Whether to save again: not too often, and for no more than a fiftieth of the time. If so, that is noted."""
        now = self.now()
        is_due = now - self._saved >= max(every, MIN_SAVE_FACTOR * self._took.get("save", 0.0))
        self._saved = now if is_due else self._saved
        return is_due

    def needed(self, work: str, unknown: float = 0.0) -> float:
        """How long some work will take: as long as the last time; or what is said, where there was none."""
        return self._took.get(work, unknown)


@dataclass(kw_only=True, repr=False, eq=False)
class Timed(TrainState):
    """How far a descent has come, and what time it has left."""

    validate: Validate | None = None
    _clock: Clock = field(init=False)
    # Seconds, until the first dispatch was made.
    until_first: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._clock = Clock(self.processes)

    def _count(self) -> float:
        """The seconds so far. All that goes on is counted: to compile, to validate, to save, to tell."""
        self.seconds += self._clock.passed()
        return self.seconds

    def _left(self) -> float:
        """The seconds that are left for steps, as something comes after the last one."""
        limit = math.inf if self.budget.seconds is None else self.budget.seconds
        return limit - self._count() - self._ahead

    @property
    def _ahead(self) -> float:
        """The seconds that what comes after the last step will take, as far as is known."""
        return self._clock.needed("save") + self._clock.needed("validate")

    def _may_validate(self) -> bool:
        """Whether there is time to. What was never validated has to be compiled, as the first steps were."""
        limit = math.inf if self.budget.seconds is None else LATE_FACTOR * self.budget.seconds
        return self._count() + self._clock.needed("validate", self.until_first) <= limit

    def _spent(self) -> Reason | None:
        """The budget as a reason to stop. There is always time for one dispatch."""
        seconds = self._count() + self._ahead if self.run.step else 0.0
        return self.limit.spent(self.run.step, seconds)

    def _is_late(self, share: float) -> bool:
        """Whether a share of the time is over."""
        return self.budget.seconds is not None and self._count() >= share * self.budget.seconds
