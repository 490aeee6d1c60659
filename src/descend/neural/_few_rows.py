"""How far a network is trained on few rows: held-out rows say it, and then it is trained on all of them.

To stop where held-out rows say so costs these rows, and ends where the rate is still high. So whole trainings are made
beside each other, each of half the steps of the one before and a third of its rate, on four fifths of the rows. What
the others lose, row by row, says which of them learnt what is common to rows, and not the rows themselves. One that is
shorter is taken only if it is better by more than a standard error, as short ones learn less.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from sklearn.model_selection import train_test_split

from descend.engine.rate_search import USUAL_RATE, RateSearch
from descend.neural._network import scores_of
from descend.neural._objective import Examples, Kind, losses_of_rows
from descend.optimizers import Optimizer
from descend.training import Result, Trainer

# Of the rows, what says how far to go.
HELD_OUT = 0.2
# Trainings that are compared; what each has of the steps and the rate of the one before.
COURSES, FEWER_STEPS, LOWER_RATE = 4, 1 / 2, 1 / 3
# The loss of a row where a network is not finite.
DIVERGED = 1e30


@dataclass(frozen=True)
class Course:
    """A training: its steps, the parameters for each example, the steps of a pass over all, and its highest rate."""

    steps: int
    per_example: float
    per_pass: float
    rate: float = USUAL_RATE

    @property
    def rule(self) -> Optimizer:
        """What the engine takes where it finds such a rate itself."""
        return RateSearch(self.steps, self.per_example, self.per_pass).rule(self.rate)

    @property
    def next(self) -> "Course":
        """The one that goes less far."""
        return replace(self, steps=max(1, round(self.steps * FEWER_STEPS)), rate=self.rate * LOWER_RATE)


def found_course(
    begin: Callable[[Examples, Any, int], Trainer], kind: Kind, examples: Examples, longest: Course, seed: int
) -> Course:
    """The course by which least is lost on rows that were held out; the rate of the longest is found first.

    `begin(examples, optimizer, steps)`: a training. `examples` have weights: those held out are there with none, so
    that one program serves all.
    """
    inputs, targets, weights = examples
    held = _held_out(kind, targets, seed)
    learnt = weights * ~held
    learnt_from = inputs, targets, (learnt / learnt.mean()).astype(np.float32)
    judged_by, truth, counts = (jax.tree.map(lambda array: array[held], part) for part in examples)

    def lost(result: Result) -> np.ndarray:
        if result.reason.name == "interrupted":
            # Nothing is there yet that could be kept.
            raise KeyboardInterrupt
        each = losses_of_rows(kind, scores_of(result.params, result.state, judged_by), truth).astype(np.float64)
        return np.nan_to_num(each, nan=DIVERGED, posinf=DIVERGED)

    result = begin(learnt_from, "auto", longest.steps).to_the_end()
    courses, losses = [replace(longest, rate=result.search.rate if result.search else 0.0)], [lost(result)]
    while len(courses) < COURSES:
        course = courses[-1].next
        courses.append(course)
        losses.append(lost(begin(learnt_from, course.rule, course.steps).to_the_end()))
    return courses[chosen(losses, counts)]


def chosen(lost: Sequence[np.ndarray], weights: np.ndarray) -> int:
    """Which of the courses is taken, by what each lost on each row: the first that none after it clearly beats."""
    best = 0
    for later in range(1, len(lost)):
        gain = lost[best] - lost[later]
        mean = np.average(gain, weights=weights)
        error = np.sqrt(np.average((gain - mean) ** 2, weights=weights) / len(gain))
        best = later if mean > error else best
    return best


def _held_out(kind: Kind, targets: np.ndarray, seed: int) -> np.ndarray:
    """Which rows are held out; of each class in its share, where that can be."""
    counts = np.unique(targets, return_counts=True)[1]
    common = kind == "classification" and counts.min() > 1 and len(counts) <= HELD_OUT * len(targets)
    _, rows = train_test_split(np.arange(len(targets)), test_size=HELD_OUT, random_state=seed,
                               stratify=targets if common else None)
    held = np.zeros(len(targets), bool)
    held[rows] = True
    return held

