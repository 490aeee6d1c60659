"""What predicts from blocks of rows: an estimator that was fitted to them, with the classes of the whole table."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from descend._blocks.files import Blocks
from descend._facts import Facts
from descend._saved import from_parts, parts_of
from descend.tasks.common.target import Target

LINEAR, PERCEPTRON = "linear", "mlp"


def classes_of(kind: str, target: Target) -> Any:
    """The class of the estimators of a kind, for a target."""
    # Numba, and networks, take a second to import.
    if kind == LINEAR:
        from descend.linear import LogisticRegression, Ridge

        return LogisticRegression if target.classes else Ridge
    from descend.neural import MLPClassifier, MLPRegressor

    return MLPClassifier if target.classes else MLPRegressor


@dataclass(frozen=True)
class OnBlocks:
    """An estimator that was fitted to `Blocks`, as a `Predictor`; its classes are numbers of those of the target."""

    kind: str
    estimator: Any
    target: Target

    def predict(self, inputs: Blocks) -> np.ndarray:
        """The number of each row, or a probability for each class."""
        if not self.target.classes:
            return np.asarray(self.estimator.predict(inputs), np.float64)
        found = self.estimator.predict_proba(inputs)
        # A class may be in none of the rows that were learnt from.
        chances = np.zeros((len(found), len(self.target.classes)))
        chances[:, self.estimator.classes_] = found
        return chances

    def describe(self) -> str:
        """What it is, in a few words."""
        if self.kind == PERCEPTRON:
            return str(self.estimator.describe())
        return f"linear, of {np.count_nonzero(np.any(np.atleast_2d(self.estimator.coef_), axis=0)):,} columns"

    def named(self) -> Any:
        """The estimator, with the names of the classes."""
        estimator = copy(self.estimator)
        if self.target.classes:
            estimator.classes_ = np.array(self.target.classes, dtype=object)[self.estimator.classes_]
        return estimator

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The estimator's file: its facts, and its arrays."""
        return parts_of(self.estimator)

    @classmethod
    def from_parts(cls, kind: str, told: Facts, arrays: Mapping[str, np.ndarray], target: Target) -> "OnBlocks":
        """What `to_parts` took apart.

        **Raises** `CheckpointError` if it is something else.
        """
        estimator = from_parts(classes_of(kind, target), told, dict(arrays))
        if target.classes:
            known = estimator.classes_
            if known.dtype.kind not in "iu" or not len(known) or known.min() < 0 or known.max() >= len(target.classes):
                told.refuse("labels", "numbers of the target's classes", known)
        return cls(kind, estimator, target)
