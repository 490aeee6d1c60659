"""Examples that are dealt to folds, so that models are judged by rows that they have not learnt from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from descend.tasks.common.examples import Examples, Judged, Prepared
from descend.tasks.common.fitted import Predictor


@dataclass(frozen=True)
class Folded(Prepared):
    """What there is to learn from, each row of it in a fold.

    - `folds`: the number of the fold that each training row is in.
    - `members`: how many folds are validated on, the first ones, each by a model that is trained without it.
    - `validated_on`: these folds, in words.
    - `as_unseen`: the training inputs as models see them that know nothing of their folds; `None` if that is as others
      see them.
    """

    folds: np.ndarray = field(kw_only=True)
    members: int = field(kw_only=True)
    validated_on: str = field(kw_only=True)
    as_unseen: Any = field(default=None, kw_only=True)

    def unseen(self, number: int) -> Any:
        """The inputs of a fold, for models that have not learnt from it."""
        return (self.training.inputs if self.as_unseen is None else self.as_unseen)[self.folds == number]

    @property
    def validated(self) -> np.ndarray:
        """Which training rows are validated on."""
        return self.folds < self.members

    @property
    def validated_weights(self) -> np.ndarray | None:
        """How much those count; `None` where all rows count alike."""
        weights = self.training.weights
        return None if weights is None else weights[self.validated]

    @property
    def judged(self) -> Judged:
        """What models are compared on."""
        return Judged(self.training.targets[self.validated], self.validated_weights, self.validated_on)

    def out_of_fold(self, fit: Callable[[Examples], Predictor]) -> np.ndarray:
        """Predictions of the rows that are validated on, each by a model that `fit` made of the other folds' rows."""
        where, found = [], []
        for number in range(self.members):
            unseen = np.flatnonzero(self.folds == number)
            others = self.training.chosen(np.flatnonzero(self.folds != number))
            where.append(unseen)
            found.append(fit(others).predict(self.training.inputs[unseen]))
        # They were found fold by fold, and are wanted in the order of the rows.
        order = np.argsort(np.concatenate(where))
        return np.concatenate(found)[order]
