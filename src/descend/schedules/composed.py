"""Schedules of schedules."""

import dataclasses
from collections.abc import Sequence

from descend._arrays import Scalar, namespace
from descend._hyperparameters import fixed, setting
from descend._numbers import warmed, where
from descend.errors import InputError
from descend.schedules._lengths import ascending_in_steps, in_steps, is_part, require_ascending, require_length
from descend.schedules._schedule import Rate, Schedule
from descend.schedules.decaying import Constant


def as_schedule(rate: Rate | Schedule) -> Schedule:
    """A schedule as it is; a number as a constant one."""
    return rate if isinstance(rate, Schedule) else Constant(rate)


@setting
class Warmup(Schedule):
    """Another schedule after a linear rise.

        η(t) = schedule(t) · (t + 1) / steps        t < steps
               schedule(t)                          else

    `schedule`: it begins at the first step, with the warm-up; a number is a constant one.
    `steps`: how many rise; or, below 1, which part of the schedule's length: that of the descent, if it has none.

    >>> [float(Warmup(Constant(1.0), steps=4)(t)) for t in (0, 1, 3, 9)]
    [0.25, 0.5, 1.0, 1.0]
    >>> Warmup(0.1, steps=0.25).over(1000)
    Warmup(schedule=Constant(value=0.1), steps=250)

    Reference: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", arXiv 1706.02677.
    """

    schedule: Schedule | Rate
    steps: float = fixed()

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", as_schedule(self.schedule))
        require_length(self, "steps")
        if self.length is not None and self.steps > self.length:
            raise InputError(f"Warmup: steps must be at most the schedule's length, {self.length}, but is {self.steps}")

    def __call__(self, step: Scalar) -> Rate:
        if is_part(self.steps) and self.length is None:
            raise InputError(f"{self} does not know its length: give a number of steps, or a budget in steps or epochs")
        return warmed(self.schedule(step), step, in_steps(self.steps, self.length or 0))

    def over(self, steps: int | None) -> "Schedule":
        schedule = self.schedule.over(steps)
        length = schedule.length or steps
        if length is None:
            return dataclasses.replace(self, schedule=schedule)
        # A descent that is shorter than the warm-up ends within it.
        rise = in_steps(self.steps, length)
        return dataclasses.replace(self, schedule=self.schedule.over(max(length, rise)), steps=rise)

    def begun_like(self, was: Schedule) -> Schedule:
        return dataclasses.replace(self, steps=was.steps) if isinstance(was, Warmup) else self
    @property
    def length(self) -> int | None:
        return self.schedule.length


@setting
class Joined(Schedule):
    """One schedule after the other.

        η(t) = schedulesᵢ(t − boundariesᵢ₋₁)        boundariesᵢ₋₁ ≤ t < boundariesᵢ

    `schedules`: each counts its steps from where it begins; a number is a constant one.
    `boundaries`: where the second and all that follow begin: whole steps; or parts of the descent's length, all below
    1. A length that was left open is the distance to the next boundary, or to the end.

    >>> schedule = Joined((Constant(1.0), Warmup(0.5, steps=5)), boundaries=(10,))
    >>> [float(schedule(t)) for t in (9, 10, 11, 99)]
    [1.0, 0.1, 0.2, 0.5]

    **Raises** `InputError` unless there is one boundary fewer than schedules and they ascend.
    """

    schedules: Sequence[Schedule | Rate]
    boundaries: Sequence[float] = fixed()

    def __post_init__(self) -> None:
        if not isinstance(self.schedules, (tuple, list)) or not self.schedules:
            raise InputError(f"Joined: schedules must be a tuple of schedules, but is {self.schedules!r}")
        object.__setattr__(self, "schedules", tuple(map(as_schedule, self.schedules)))
        require_ascending(self, "boundaries")
        if len(self.schedules) != len(self.boundaries) + 1:
            raise InputError(f"Joined: {len(self.schedules)} schedules join at {len(self.schedules) - 1} boundaries, "
                             f"not {len(self.boundaries)}")

    def __call__(self, step: Scalar) -> Rate:
        if any(map(is_part, self.boundaries)):
            raise InputError(f"{self} does not know its length: give boundaries in steps, or a budget in steps "
                             "or epochs")
        rate = self.schedules[0](step)
        for schedule, start in zip(self.schedules[1:], self.boundaries, strict=True):
            # The clip: a later schedule is asked for steps before its start too, where it may be undefined.
            since = namespace(step).clip(step - start, 0, None)
            rate = where(step < start, rate, schedule(since))
        return rate

    def over(self, steps: int | None) -> "Schedule":
        boundaries = tuple(self.boundaries) if steps is None else ascending_in_steps(tuple(self.boundaries), steps)
        starts, ends = (0, *boundaries), (*boundaries, steps)
        open_ = any(map(is_part, boundaries))
        # A descent may end before the last schedules begin: these are never asked, but must know of some length.
        lengths = [None if open_ or end is None else max(int(end - start), 1)
                   for start, end in zip(starts, ends, strict=True)]
        parts = tuple(part.over(length) for part, length in zip(self.schedules, lengths, strict=True))
        return dataclasses.replace(self, schedules=parts, boundaries=boundaries)

    @property
    def length(self) -> int | None:
        last = self.schedules[-1].length
        if last is None or any(map(is_part, self.boundaries)):
            return None
        return int(sum(self.boundaries[-1:])) + last
