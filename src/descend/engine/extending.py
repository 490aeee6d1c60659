"""Going on for longer, or shorter, than a descent was begun for: what schedules do then whose length was left open."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from descend.errors import CheckpointError
from descend.optimizers import Optimizer
from descend.schedules import Schedule


def extended(rule: Optimizer, before: int | None, steps: int | None, made: int) -> Optimizer:
    """A rule for a descent that began as one of `before` steps, has made `made`, and is to have `steps` in the end.

    What is done cannot be changed: a schedule takes the other length only if the rates of all steps that were made are
    by that, too, what they were. A warm-up, or another first stage, may stay as long as it was.

    **Raises** `CheckpointError` where that cannot be.

    >>> from descend import SGD
    >>> from descend.schedules import WarmupStableDecay
    >>> extended(SGD(WarmupStableDecay(0.1)), before=100, steps=200, made=80).learning_rate
    WarmupStableDecay(peak=0.1, steps=200, warmup=5, decay=0.2, shape='1-sqrt', final=0.0)
    """
    asked = jax.tree.map(lambda part: _Asked(part) if _is_schedule(part) else part, rule, is_leaf=_is_schedule)
    asked = asked.over(before).over(steps).over(made)
    return jax.tree.map(lambda part: _settled(part) if _is_schedule(part) else part, asked, is_leaf=_is_schedule)


@dataclass(frozen=True)
class _Asked(Schedule):
    """A schedule, and the lengths that it was asked to have: what is around it may count other steps."""

    schedule: Schedule
    lengths: tuple[Any, ...] = ()

    def over(self, steps: int | None) -> "Schedule":
        return dataclasses.replace(self, lengths=(*self.lengths, steps))


def _is_schedule(part: object) -> bool:
    return isinstance(part, Schedule)


def _settled(asked: _Asked) -> Schedule:
    """The schedule for the other length, its past unchanged."""
    (before, steps, made), given = asked.lengths, asked.schedule
    was = given.over(before)
    for schedule in (given.over(steps), given.begun_like(was).over(steps)):
        if repr(schedule) == repr(was) or np.array_equal(was(np.arange(made)), schedule(np.arange(made))):
            return schedule
    raise CheckpointError(
        f"{given} was begun for {before} steps, and for {steps} the first {made} rates would have been others: go on "
        f"for {before}, or begin a new descent from the params of that one; a schedule with a length of its own, "
        "steps=, may be gone on with"
    )



