"""A run's model of texts with the face of scikit-learn."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from descend.neural.hashing import as_texts
from descend.tasks.text.model import TextModel


class FittedTexts(ClassifierMixin, BaseEstimator):
    """The model of a run on texts: it predicts. To train one, run `descend fit`, or fit a `TextClassifier`.

    `classes_`: the names of the classes, as the run called them.
    """

    def __init__(self, model: TextModel):
        self.model = model
        self.classes_ = np.array(model.classes, dtype=object)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`, for each of the texts."""
        return self.model.predict(as_texts(X))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def describe(self) -> str:
        """What it is, in a few words."""
        return self.model.describe()
