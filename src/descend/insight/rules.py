"""Settings of an optimizer, also within modifiers: what they are, and the same optimizer with another."""

import dataclasses
from typing import Any

from descend.optimizers import Modifier, Optimizer
from descend.schedules import Number, Rate, Schedule, as_schedule, setting
from descend.schedules.decaying import Constant


def innermost(optimizer: Optimizer) -> Optimizer:
    """The rule within all modifiers."""
    return innermost(optimizer.rule) if isinstance(optimizer, Modifier) else optimizer


def setting_of(optimizer: Optimizer, name: str) -> float | None:
    """A number that the optimizer, or one within it, has by this name; `None` if there is none."""
    value = getattr(optimizer, name, None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return setting_of(optimizer.rule, name) if isinstance(optimizer, Modifier) else None


def with_setting(optimizer: Optimizer, name: str, value: Any) -> Optimizer:
    """The optimizer with another value for what it, or one within it, has by this name."""
    if any(field.name == name for field in dataclasses.fields(optimizer)):  # type: ignore[arg-type]
        return dataclasses.replace(optimizer, **{name: value})  # type: ignore[type-var]
    if isinstance(optimizer, Modifier):
        return dataclasses.replace(optimizer, rule=with_setting(optimizer.rule, name, value))  # type: ignore[type-var]
    return optimizer


def rate_of(optimizer: Optimizer) -> Schedule | None:
    """The schedule of the learning rate, if it has one."""
    value = getattr(optimizer, "learning_rate", None)
    if value is not None:
        return as_schedule(value)
    return rate_of(optimizer.rule) if isinstance(optimizer, Modifier) else None


def mean_rate(optimizer: Optimizer, first: int, steps: int) -> float | None:
    """The mean of the learning rates at some of the steps after `first`."""
    schedule = rate_of(optimizer)
    if schedule is None:
        return None
    at = [first + round(i * max(steps - 1, 0) / 15) for i in range(16)]
    return sum(float(schedule(step)) for step in at) / len(at)


def with_scaled_rate(optimizer: Optimizer, factor: float) -> Optimizer:
    """The optimizer with all learning rates multiplied: those of a schedule, too."""
    schedule = rate_of(optimizer)
    if schedule is None:
        return optimizer
    if isinstance(schedule, Constant):
        return with_setting(optimizer, "learning_rate", float(schedule.value) * factor)
    return with_setting(optimizer, "learning_rate", Scaled(schedule, factor))


@setting
class Scaled(Schedule):
    """Another schedule, times a factor."""

    schedule: Schedule
    factor: Number

    def __call__(self, step: Any) -> Rate:
        return self.factor * self.schedule(step)

    @property
    def length(self) -> int | None:
        return self.schedule.length


def as_code(optimizer: Optimizer) -> str:
    """How an optimizer is written in code: its settings that are not defaults."""
    parts = []
    for field in dataclasses.fields(optimizer):  # type: ignore[arg-type]
        value = getattr(optimizer, field.name)
        if isinstance(value, Optimizer):
            parts.append(as_code(value))
        elif value != field.default:
            parts.append(f"{field.name}={value:.3g}" if isinstance(value, float) else f"{field.name}={value}")
    return f"{type(optimizer).__name__}({', '.join(parts)})"
