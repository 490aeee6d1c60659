"""Fit and predict a table: typed, encoded, learnt by candidates of which one is chosen with its reason."""

from descend._facts import checked_array
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.fitted import Predictor, Trained
from descend.tasks.common.section import Section
from descend.tasks.table.candidate import Candidate, Findings
from descend.tasks.table.preparing import TablePrepared
from descend.tasks.table.registry import candidates, register

__all__ = [
    "Candidate",
    "Findings",
    "Predictor",
    "Section",
    "TablePrepared",
    "Trained",
    "TrainingContext",
    "candidates",
    "checked_array",
    "register",
]
