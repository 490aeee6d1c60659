"""What came of a table's training: scores, what the model hangs on, and what there is to say of all models."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.table.candidate import Findings
from descend.tasks.table.model import TableModel
from descend.tasks.table.preparing import TablePrepared


@dataclass(frozen=True)
class TableOutcome(Outcome):
    """The score of a table's model; by how much it falls without each column; and what there is to say of all models.

    `importances`: by column, the largest first. `findings`: by the names of the models that were trained.
    `uncalibrated`: the probabilities before a temperature was applied; `None`, where none was.
    """

    importances: Mapping[str, float] = field(kw_only=True)
    findings: Mapping[str, Findings] = field(kw_only=True)
    uncalibrated: np.ndarray | None = None


def model_of(fitted: Fitted[TablePrepared]) -> TableModel:
    """The model, which of a table is always of this kind."""
    if not isinstance(fitted.model, TableModel):
        raise TypeError(f"a table's model is a TableModel, and no {type(fitted.model).__name__}")
    return fitted.model
