"""What neural estimators of classes share."""

import time
from typing import Any

import jax
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from descend._facts import Facts
from descend._onnx.classes import add_classes
from descend._onnx.graph import Graph
from descend._sample_weight import checked_weights, weights_of_classes
from descend.errors import InputError
from descend.neural._estimator import NeuralEstimator
from descend.neural._objective import Examples, Kind, with_unit_mean_weights
from descend.training import Trainer


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """A network with a score for each class."""

    _kind: Kind = "classification"
    class_weight: Any
    label_smoothing: float

    def _outputs_in(self, told: Facts, arrays: dict[str, np.ndarray]) -> int:
        return len(self.classes_)

    def _in_jax(self, rows: Any) -> Any:
        scores = self.network_(self._network_inputs(rows), self.state_, None)[0]
        return jax.nn.softmax(scores.astype(np.float64), axis=-1)

    def _add_outputs(self, graph: Graph, value: str) -> None:
        add_classes(graph, value, self.classes_)

    def _expected(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"label": self.predict(rows), "probabilities": self.predict_proba(rows)}

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> "NeuralClassifier":
        """Train on inputs `X` and their classes `y`; `sample_weight`: how much each example counts.

        `X_val`, `y_val`: examples to validate on; without them, `validation_fraction` is held out of the others.
        """
        self._train(self.begun(X, y, sample_weight, X_val=X_val, y_val=y_val))
        return self

    def begun(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Trainer:
        """The training that `fit` makes, before its first step: to be looked into, or taken further from outside."""
        begin = time.perf_counter()
        self._check_settings()
        inputs = self._inputs(X, reset=True)
        y = self._targets(X, y)
        check_classification_targets(y)
        self.classes_, targets = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            label = self.classes_.tolist()[0]
            raise InputError(f"y holds 1 class ({label!r}): a classifier needs examples of 2 or more")
        weights = self._weights(y, sample_weight)
        examples = with_unit_mean_weights((inputs, targets.astype(np.int32), weights))
        validation = self._validation(X_val, y_val, self._numbers)
        return self._begun(begin, examples, len(self.classes_), self.label_smoothing, validation)

    def examples(self, X: Any, y: Any) -> Examples:
        """Inputs and classes as the loss of the training that was begun takes them."""
        return self._inputs(X, reset=False), self._numbers(self._targets(X, y)), None

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`."""
        # In double precision, so that each row sums to 1 for those who compare it with 1. The largest score is taken
        # away first, and no exponential overflows.
        scores = self._scores(X).astype(np.float64)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class."""
        best = self._scores(X).argmax(axis=1)
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of classes that are predicted."""
        return float(super().score(X, y, checked_weights(sample_weight, y)))

    def _numbers(self, y: np.ndarray) -> np.ndarray:
        """Which of the classes each is."""
        places = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (unknown := self.classes_[places] != y).any():
            raise InputError(f"y_val has the class {y[unknown].tolist()[0]!r}, which y has not")
        return places.astype(np.int32)

    def _weights(self, y: np.ndarray, sample_weight: Any) -> np.ndarray | None:
        """What each example counts; `None` if all count alike."""
        weights = checked_weights(sample_weight, y)
        if self.class_weight is None:
            return weights
        by_class = weights_of_classes(self.class_weight, self.classes_, y, sample_weight)
        each = by_class[np.searchsorted(self.classes_, y)]
        return each if weights is None else weights * each

    def _check_settings(self) -> None:
        super()._check_settings()
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing must be at least 0 and less than 1, but is {self.label_smoothing}")
