"""By what descents are compared: a loss on the same examples for all of them, and how much less of it is left."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from descend._settings import validation_of
from descend.engine.programs import programs_of
from descend.engine.run import Run
from descend.errors import InputError
from descend.sources import Empty, HostArrays, MiniBatches, WholeSet, as_data

MOST_EXAMPLES = 2048  # that a loss is taken of: a mean over more is known to a fiftieth of what examples spread
NOTHING_LEFT = 0.01  # of the loss at the start: what is below it counts as nothing
FARTHEST = math.log(1e6)  # a ratio of losses counts as no more, so that one that is not finite is a number, too


@dataclass(frozen=True)
class Judge:
    """The loss of a run, without anything random in it, at the parameters to evaluate, on given examples.

    `examples`: as the loss takes them, or a function of the parameters; `None` for a loss without data.
    `are_held_out`: whether the descent has not seen them. `unit`: what the loss is divided by, where descents with
    other targets are compared. `loss`: another than the run's own, where that was not what was meant.
    """

    examples: Any = None
    are_held_out: bool = False
    unit: float = 1.0
    loss: Callable[..., Any] | None = field(default=None, repr=False)

    def __call__(self, run: Run) -> float:
        """The loss of a run; not finite where it diverged."""
        if self.loss is not None:
            descent = replace(run.descent, loss=self.loss, programs=programs_of(self.loss))
            return replace(self, loss=None)(replace(run, descent=descent))
        if self.examples is None:
            return run.fork(params=run.eval_params).loss() / self.unit
        validate: Any = validation_of(self.examples, run.descent)
        return float(validate(run.eval_params, run.state.carried.state)["loss"]) / self.unit

    def seen_through(self, change: Callable[[Any], Any], unit: float = 1.0) -> "Judge":
        """The judge of descents whose examples were changed so.

        **Raises** `InputError` where it is a function that judges.
        """
        if callable(self.examples):
            raise InputError("the descent is judged by a function, which has no examples that could be changed")
        return replace(self, examples=change(self.examples), unit=self.unit * unit)


def judge_of(run: Run, held_out: Any = None) -> Judge:
    """How to judge a run and its forks: on what is held out, or by a function of the parameters as `validation=` of
    `minimize` takes it; else on the examples that it descends on.

    **Raises** `InputError` for batches from a loader or a policy's rollouts, of which no loss is the same for two
    descents, unless examples or a function are given.
    """
    if callable(held_out):
        return Judge(held_out, are_held_out=True)
    if held_out is not None:
        return Judge(some(as_data(held_out, "the data to judge on")[0]), are_held_out=True)
    examples = examples_of(run)
    if examples is None and not isinstance(run.descent.source, Empty):
        raise InputError(f"the batches come from {type(run.descent.source).__name__}, so that two descents cannot be "
                         "compared on the same examples: give data=, some of them, held out if possible, or a function "
                         "from the parameters to a loss, such as minus the mean return of a policy")
    return Judge(None if examples is None else some(examples))


def examples_of(run: Run) -> Any:
    """The examples that a run descends on, if they lie in arrays."""
    source = run.descent.source
    return source.data if isinstance(source, MiniBatches | HostArrays | WholeSet) else None


def some(examples: Any, most: int = MOST_EXAMPLES) -> Any:
    """At most so many of the examples, drawn at random, but always the same ones."""
    length = len(jax.tree.leaves(examples)[0])
    if length <= most:
        return examples
    chosen = np.sort(np.random.default_rng(0).choice(length, most, replace=False))
    return jax.tree.map(lambda array: np.asarray(array[chosen]), examples)


def gain(before: float, after: float, start: float) -> float:
    """How much better a loss is than another: the logarithm of their ratio, `log before − log after`.

    A hundredth of the loss at the `start` is added to both, as nobody descends for what is less. Where a loss is not
    positive, the difference in relation to the loss at the start takes the logarithm's place. A loss that is not finite
    is worse than any other.
    """
    if not (math.isfinite(before) and math.isfinite(after)):
        # A number all the same, so that draws of which some diverged have a mean and an interval.
        return FARTHEST * (math.isfinite(after) - math.isfinite(before))
    if min(before, after) <= 0 or not math.isfinite(start):
        size = abs(start) if math.isfinite(start) and start else max(abs(before), abs(after))
        return float(np.clip((before - after) / max(size, np.finfo(float).tiny), -FARTHEST, FARTHEST))
    floor = NOTHING_LEFT * abs(start)
    return float(np.clip(math.log(before + floor) - math.log(after + floor), -FARTHEST, FARTHEST))
