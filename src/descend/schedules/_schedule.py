"""What all schedules share, and those that have a length."""

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar

from descend._arrays import Number, Scalar
from descend._hyperparameters import require_whole
from descend.errors import InputError
from descend.schedules._lengths import in_steps, is_part, require_length

if TYPE_CHECKING:
    import plotly.graph_objects as go

Rate = Number


class Schedule:
    """What all schedules share."""

    def __call__(self, step: Scalar) -> Rate:
        """The learning rate of step number `step` (from 0)."""
        raise NotImplementedError

    def over(self, steps: int | None) -> "Schedule":
        """This schedule for a descent of `steps` steps: fills in a length that was left open."""
        del steps
        return self

    def begun_like(self, was: "Schedule") -> "Schedule":
        """This schedule, its length still open, with its first stage as long as in `was`, the same for some length."""
        del was
        return self

    @property
    def length(self) -> int | None:
        """The number of steps that the schedule is made for; `None` if it has none, or if it was left open."""
        return None

    def plot(self, steps: int | None = None) -> "go.Figure":
        """The rate over the steps, as a figure; on a logarithmic axis if it spans more than three decades.

        `steps`: how many; by default the schedule's own length, and 1000 if it has none.
        """
        # Imported here: a descent has no need of Plotly.
        from descend.schedules._plot import figure

        return figure(self, steps)


class Lasting(Schedule):
    """A schedule with a length, `steps`, which is the descent's if it is left open."""

    steps: int | None
    # The names of the settings that are lengths within `steps`.
    stages: ClassVar[tuple[str, ...]] = ()

    @property
    def length(self) -> int | None:
        return self.steps

    def over(self, steps: int | None) -> "Schedule":
        if self.steps is not None or steps is None:
            return self
        # A descent that is shorter than the warm-up ends within it.
        parts, whole = self._parts_and_whole()
        least = math.ceil(whole / (1 - parts)) if whole else 1
        return dataclasses.replace(self, steps=max(steps, least))  # type: ignore[type-var]  # all are dataclasses

    def begun_like(self, was: Schedule) -> Schedule:
        if not self.stages:
            return self
        first = self.stages[0]
        steps = in_steps(getattr(self, first), was.length or 0)
        return dataclasses.replace(self, **{first: steps})  # type: ignore[type-var]  # all are dataclasses

    def known_length(self) -> int:
        """The number of steps.

        **Raises** `InputError` if it was left open.
        """
        if self.steps is None:
            raise InputError(f"{self} does not know its length: give steps=, or a budget in steps or epochs")
        return self.steps

    def require_room(self) -> None:
        """Refuse a length that is none, and stages that do not fit into it."""
        name, stages = type(self).__name__, " and ".join(self._given())
        require_length(self, *self._given())
        if self.steps is not None:
            require_whole(self, steps=1)
            needed = sum(in_steps(length, self.steps) for length in self._given().values())
            if needed > self.steps:
                raise InputError(f"{name}: {needed} steps for {stages} are more than steps, {self.steps}")
        parts, _ = self._parts_and_whole()
        # Parts that are meant to be all of it may add up to a little more.
        if parts > 1 + 1e-9:
            raise InputError(f"{name}: {parts:g} of the length for {stages} are more than there is")

    def _given(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.stages if getattr(self, name) is not None}

    def _parts_and_whole(self) -> tuple[float, int]:
        """How much of the length the stages need: as parts of it, and in steps."""
        lengths = self._given().values()
        return sum(x for x in lengths if is_part(x)), sum(int(x) for x in lengths if not is_part(x))
