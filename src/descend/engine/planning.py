"""How many steps there is time for, where it is seconds that end a descent.

A rate falls over all of a descent, so its length must be known before the first step. A few steps are timed, on a run
that is thrown away, and the time that is left is divided by what they took. Where validations are made on the way, one
is timed as well.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from descend.engine.run import Run, advance
from descend.optimizers import Optimizer

# How long a descent is thought to be while nobody knows.
USUAL_STEPS = 5000
# Of the time that is left, how much of it steps are timed for. Single ones differ, and the first are slower.
TIMED_SHARE = 1 / 50
# Of the time that is left, for how much of it steps are planned: a machine may have other work on the way, and the
# rate is to have fallen before the time is over.
PLANNED_SHARE = 0.92
# Of the time that is left, how much of it compiling once more may take, where a length is a constant of the program.
COMPILED_SHARE = 0.5


@dataclass(frozen=True)
class Cost:
    """The seconds that a step takes, with its share of a validation, and those that its program took to be compiled."""

    step: float
    compiling: float

    def steps_in(self, seconds: float) -> int:
        """How many steps to plan for these seconds; one at the least."""
        return max(1, int(PLANNED_SHARE * seconds / max(self.step, 1e-9)))

    def with_validations(self, seconds: float, every: float) -> "Cost":
        """The same, where so many seconds of validating come once in so many steps."""
        return dataclasses.replace(self, step=self.step + seconds / every)


def cost_of(run: Run, left: Callable[[], float], now: Callable[[], float]) -> Cost | None:
    """What a step of a run costs, by some that are thrown away; `None` where there is no time to find out.

    `left`: the seconds that there are. `now`: the time, the same in all processes of the descent.
    """
    first, made, took = _seconds(run, 1, now), 0, 0.0
    # Twice as many each time, until they take long enough to tell.
    while took < TIMED_SHARE * left():
        made = max(1, 2 * made)
        took = _seconds(run, made, now)
    each = took / max(made, 1)
    return Cost(each, max(first - each, 0.0)) if 0 < took < math.inf else None


def _seconds(run: Run, steps: int, now: Callable[[], float]) -> float:
    """The seconds of so many steps; infinite where a run ends before."""
    begin = now()
    further = jax.block_until_ready(advance(run, steps)[0].state)
    return now() - begin if int(further.step) - run.step == steps else math.inf


def first_length(steps: int | None, seconds: float | None) -> int | None:
    """The length that a schedule has until it is planned: all steps, or a usual number where seconds alone end it."""
    is_over = seconds is not None and math.isfinite(seconds)
    return USUAL_STEPS if steps is None and is_over else steps


def hangs_on_length(rule: Optimizer) -> bool:
    """Whether a rule with an open length makes other steps in a descent of another length."""
    return repr(rule.over(USUAL_STEPS)) != repr(rule.over(2 * USUAL_STEPS))


def is_compiled_anew(before: Optimizer, after: Optimizer) -> bool:
    """Whether two rules, alike but for a length, are two programs, because the length is a constant of them."""
    one: Any = jax.tree.structure(before)
    return bool(one != jax.tree.structure(after))
