"""What came of a table's training: scores, what the model hangs on, and what there is to say of all models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.table.candidate import Findings
from descend.tasks.table.effects.looking import Effects
from descend.tasks.table.importance import Importance
from descend.tasks.table.learning import LearningCurve
from descend.tasks.table.model import TableModel
from descend.tasks.table.preparing import TablePrepared


@dataclass(frozen=True)
class TableOutcome(Outcome):
    """The score of a table's model; by how much it falls without each column; and what there is to say of all models.

    `importances`: by column, the largest first. `findings`: by the names of the models that were trained.
    `uncalibrated`: the probabilities before a temperature was applied; `None`, where none was.
    `effects`: what the weightiest columns do. `suspicious`: columns that tell the target by themselves, in sentences.
    `curve`: what more rows brought the linear model; `None`, where there was no time to see.
    """

    importances: Mapping[str, Importance] = field(kw_only=True)
    findings: Mapping[str, Findings] = field(kw_only=True)
    uncalibrated: np.ndarray | None = None
    suspicious: Sequence[str] = ()
    curve: LearningCurve | None = None
    effects: Effects = field(default_factory=lambda: Effects({}, {}))


def model_of(fitted: Fitted[TablePrepared]) -> TableModel:
    """The model, which of a table is always of this kind."""
    if not isinstance(fitted.model, TableModel):
        raise TypeError(f"a table's model is a TableModel, and no {type(fitted.model).__name__}")
    return fitted.model
