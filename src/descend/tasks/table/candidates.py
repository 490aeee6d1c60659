"""What trainings come to, however they were made: something that predicts, and how it did on rows it had not seen."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from descend.engine.history import History
from descend.stopping import Reason
from descend.tasks.table.networks.ensemble import Architecture


@runtime_checkable
class Predictor(Protocol):
    """Predicts targets from encoded rows, and can be taken apart to be saved; a `from_parts` puts it together."""

    @property
    def architecture(self) -> Architecture: ...
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """A number for each row, in the unit of training, or a probability for each row and class."""

    def describe(self) -> str:
        """What it is, in a few words."""

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """A dict for JSON, and arrays by name."""


@dataclass(frozen=True)
class Candidate:
    """A model that was trained, and how it did on the rows that its members had not seen.

    `score`: an accuracy or an R². `merits`: what each of those rows adds to it; the score is their mean. `how`: the
    optimizer with its settings, or the solver and why it was picked. `reason`: why the training ended.
    """

    predictor: Predictor
    score: float
    merits: np.ndarray
    how: str
    reason: Reason
    history: History
    seconds: float
