"""Learning rates that change with the step: frozen values, called with the step's number from 0.

    schedule(step) -> learning rate

A schedule's `repr` shows all its settings, and its numbers are leaves of a pytree: changing a learning rate never
compiles a program again, and many rates can be raced side by side with `jax.vmap`.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

import jax
import numpy as np

from descend._arrays import namespace
from descend.errors import InputError

Rate = Any  # a float, or a 0-d array of NumPy or JAX
S = TypeVar("S")


def fixed(default: Any = dataclasses.MISSING) -> Any:
    """A field that a compiled program is specialised to, instead of a number that may change under it."""
    return field(default=default, metadata={"fixed": True})


@dataclass_transform(frozen_default=True, field_specifiers=(field, fixed))
def setting(cls: type[S]) -> type[S]:
    """A frozen dataclass whose fields are leaves of a pytree, but for those declared with `fixed`."""
    frozen: Any = dataclass(frozen=True)(cls)
    fields = dataclasses.fields(frozen)
    jax.tree_util.register_dataclass(
        frozen,
        data_fields=[f.name for f in fields if not f.metadata.get("fixed")],
        meta_fields=[f.name for f in fields if f.metadata.get("fixed")],
    )
    return frozen


class Schedule:
    """What all schedules share."""

    def __call__(self, step: Any) -> Rate:
        """The learning rate of step number `step` (from 0)."""
        raise NotImplementedError

    def over(self, steps: int | None) -> "Schedule":
        """This schedule for a descent of `steps` steps: fills in a length that was left open."""
        del steps
        return self


@setting
class Constant(Schedule):
    """The same rate at every step: `η(t) = value`.

    >>> Constant(0.1)(1000)
    0.1
    """

    value: Rate

    def __call__(self, step: Any) -> Rate:
        del step
        return self.value


@setting
class Step(Schedule):
    """A staircase: `η(t) = initial · factor^⌊t / every⌋`.

    >>> [round(Step(1.0, every=10, factor=0.5)(t), 3) for t in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    initial: Rate
    every: int = fixed()
    factor: Rate = 0.1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise InputError(f"Step: every must be at least 1 step, but is {self.every}")

    def __call__(self, step: Any) -> Rate:
        return self.initial * self.factor ** _real(step // self.every)


@setting
class Exponential(Schedule):
    """Exponential decay: `η(t) = initial · e^(−decay · t)`.

    >>> round(float(Exponential(1.0, decay=0.1)(10)), 4)
    0.3679
    """

    initial: Rate
    decay: Rate

    def __call__(self, step: Any) -> Rate:
        return self.initial * namespace(step).exp(-self.decay * _real(step))


@setting
class InverseTime(Schedule):
    """Decay of Robbins and Monro's kind: `η(t) = initial / (1 + decay · t)`.

    >>> InverseTime(1.0, decay=0.1)(10)
    0.5

    Reference: Robbins and Monro, "A stochastic approximation method", 1951.
    """

    initial: Rate
    decay: Rate

    def __call__(self, step: Any) -> Rate:
        return self.initial / (1 + self.decay * _real(step))


@setting
class SquareRoot(Schedule):
    """Square-root decay, the classical rate for convex problems: `η(t) = initial / √(1 + decay · t)`.

    >>> SquareRoot(1.0)(3)
    0.5
    """

    initial: Rate
    decay: Rate = 1.0

    def __call__(self, step: Any) -> Rate:
        return self.initial / (1 + self.decay * _real(step)) ** 0.5


@setting
class Cosine(Schedule):
    """Half a cosine from `initial` down to `final`, after a linear warm-up:

    `η(t) = final + (initial − final) · (1 + cos(π · (t − warmup) / (steps − warmup))) / 2`.

    `steps`: the step at which `final` is reached, and stayed at; left open, it is the length of the descent.
    `warmup`: so many first steps rise linearly, the last of them at `initial`.

    >>> schedule = Cosine(1.0, steps=100)
    >>> [round(float(schedule(t)), 3) for t in (0, 50, 100, 200)]
    [1.0, 0.5, 0.0, 0.0]

    Reference: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", arXiv 1608.03983.
    """

    initial: Rate
    steps: int | None = fixed(default=None)
    final: Rate = 0.0
    warmup: int = fixed(default=0)

    def __call__(self, step: Any) -> Rate:
        if self.steps is None:
            raise InputError(f"{self} does not know its length: give steps=, or a budget in steps or epochs")
        xp = namespace(step)
        done = xp.clip((_real(step) - self.warmup) / max(self.steps - self.warmup, 1), 0.0, 1.0)
        rate = self.final + (self.initial - self.final) * (1 + xp.cos(np.pi * done)) / 2
        return _warmed(rate, step, self.warmup)

    def over(self, steps: int | None) -> "Schedule":
        return dataclasses.replace(self, steps=steps) if self.steps is None else self


@setting
class Warmup(Schedule):
    """Another schedule after a linear rise: for `t < steps` the rate is `(t + 1) / steps` of its rate at `t`.

    >>> [float(Warmup(Constant(1.0), steps=4)(t)) for t in (0, 1, 3, 9)]
    [0.25, 0.5, 1.0, 1.0]
    """

    schedule: Schedule
    steps: int = fixed()

    def __call__(self, step: Any) -> Rate:
        return _warmed(self.schedule(step), step, self.steps)

    def over(self, steps: int | None) -> "Schedule":
        return dataclasses.replace(self, schedule=self.schedule.over(steps))


@setting
class Joined(Schedule):
    """One schedule after the other: `schedules[i]` begins at step `boundaries[i − 1]` and counts from there.

    >>> schedule = Joined((Constant(1.0), Exponential(0.5, decay=0.1)), boundaries=(10,))
    >>> [float(schedule(t)) for t in (9, 10)]
    [1.0, 0.5]

    **Raises** `InputError` unless there is one boundary fewer than schedules and they ascend.
    """

    schedules: tuple[Schedule, ...]
    boundaries: tuple[int, ...] = fixed()

    def __post_init__(self) -> None:
        if isinstance(self.schedules, tuple) and len(self.schedules) != len(self.boundaries) + 1:
            raise InputError(f"{len(self.schedules)} schedules join at {len(self.schedules) - 1} boundaries, "
                             f"not {len(self.boundaries)}")
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise InputError(f"boundaries must ascend, but are {self.boundaries}")

    def __call__(self, step: Any) -> Rate:
        xp = namespace(step)
        rate = self.schedules[0](step)
        for schedule, start in zip(self.schedules[1:], self.boundaries, strict=True):
            # The clip: a later schedule is asked for steps before its start too, where it may be undefined.
            rate = xp.where(step < start, rate, schedule(xp.clip(step - start, 0, None)))
        return rate

    def over(self, steps: int | None) -> "Schedule":
        starts = (0, *self.boundaries)
        lengths: list[int | None] = [end - start for start, end in zip(starts, self.boundaries, strict=False)]
        lengths.append(None if steps is None else steps - starts[-1])
        parts = tuple(part.over(length) for part, length in zip(self.schedules, lengths, strict=True))
        return dataclasses.replace(self, schedules=parts)


def as_schedule(rate: Rate | Schedule) -> Schedule:
    """A schedule as it is; a number as a constant one."""
    return rate if isinstance(rate, Schedule) else Constant(rate)


def _real(step: Any) -> Any:
    """The step as a real number, of JAX's widest kind or of 64 bits: `int32 / int` is float32 in JAX and PyTorch."""
    return step.double() if hasattr(step, "double") else step * 1.0


def _warmed(rate: Rate, step: Any, steps: int) -> Rate:
    return rate * namespace(step).clip(_real(step + 1) / steps, None, 1.0) if steps else rate
