"""Columns that tell the target by themselves: what is known only when the target is, as a rule."""

from collections.abc import Mapping

import numpy as np

from descend.insight.faults.leakage import COMMON, FEWEST, TELLING, told_by
from descend.tasks.common.fitted import Outcome
from descend.tasks.table.importance import Importance
from descend.tasks.table.preparing import TablePrepared

# Columns that are looked at, the weightiest, and rows.
LOOKED_INTO, ROWS = 20, 10_000
# Of what a model is better by than the plainest guess: what one column alone has, and what is lost without it; and of
# what it could be better by, what it is. Of a column that is merely good, others tell the most, too.
CARRIED, LOST, GOOD = 0.95, 0.5, 0.9
# Of fewer columns, each may well carry the score.
FEWEST_COLUMNS = 3


def suspicions(prepared: TablePrepared, importances: Mapping[str, Importance], outcome: Outcome) -> list[str]:
    """Of each column that tells the target by itself, or carries the score, a sentence."""
    training, classes = prepared.training, prepared.target.classes
    # From all over the table, which may be in some order.
    rows = np.unique(np.linspace(0, len(training) - 1, min(len(training), ROWS)).astype(int))
    inputs, targets = training.inputs[rows], training.targets[rows]
    if len(targets) < FEWEST or np.unique(targets, return_counts=True)[1].max() > COMMON * len(targets):
        return []
    found = []
    for name, weight in list(importances.items())[:LOOKED_INTO]:
        if weight.fall <= 0:
            continue
        alone = _alone(prepared, name, inputs, targets)
        leave_out = f"Leave it out (--drop) if it is not known before {'the class' if classes else 'the number'} is"
        if alone >= TELLING:
            told = f"the classes of {alone:.1%}" if classes else f"with an R² of {alone:.4f} the numbers"
            found.append(f"One column tells the target: {name} alone tells {told} of rows that it was not fitted to. "
                         f"{leave_out}")
        elif len(importances) >= FEWEST_COLUMNS and _carries(alone, weight.fall, outcome):
            found.append(f"One column carries the score: {name} alone comes to {alone:.3f}, all together to "
                         f"{outcome.score:.3f}. {leave_out}")
    return found


def _alone(prepared: TablePrepared, name: str, inputs: np.ndarray, targets: np.ndarray) -> float:
    """How well a column alone tells the target: by the best of its features, or by its levels."""
    mine = [place for place, owner in enumerate(prepared.encoder.feature_columns) if owner == name]
    rows = inputs[:, mine].astype(np.float64)
    columns = [*rows.T]
    is_level = np.array([prepared.encoder.features[place].part == "level" for place in mine])
    if is_level.any():
        columns = [*rows[:, ~is_level].T, rows[:, is_level].argmax(axis=1).astype(np.float64)]
    return max(told_by(column, targets, bool(prepared.target.classes)) for column in columns)


def _carries(alone: float, fall: float, outcome: Outcome) -> bool:
    gain = outcome.score - outcome.baseline
    is_good = gain >= GOOD * (1 - outcome.baseline)
    return is_good and alone - outcome.baseline >= CARRIED * gain and fall >= LOST * gain
