"""What neural estimators of classes share."""

import time
from typing import Any

import jax
import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from descend._facts import Facts
from descend._onnx.classes import add_classes, add_labels
from descend._onnx.graph import Graph
from descend._sample_weight import checked_weights, weights_of_classes
from descend.errors import InputError
from descend.neural._estimator import NeuralEstimator
from descend.neural._objective import Examples, Kind, with_unit_mean_weights
from descend.training import Trainer


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """A network with a score for each class, or for each of several labels, of which any may be there."""

    _kind: Kind = "classification"
    class_weight: Any
    label_smoothing: float

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        facts, arrays = super()._to_parts()
        return facts | {"labels": self._of_labels}, arrays

    def _from_parts(self, told: Facts, arrays: dict[str, np.ndarray]) -> None:
        # Files of before there were labels do not speak of them.
        self._kind = "labels" if told.has("labels") and told.truth("labels") else "classification"
        super()._from_parts(told, arrays)

    @property
    def _of_labels(self) -> bool:
        return self._kind == "labels"

    def _outputs_in(self, told: Facts, arrays: dict[str, np.ndarray]) -> int:
        return len(self.classes_)

    def _in_jax(self, rows: Any) -> Any:
        scores = self.network_(self._network_inputs(rows), self.state_, None)[0]
        scores = scores.astype(np.float64)
        return jax.nn.sigmoid(scores) if self._of_labels else jax.nn.softmax(scores, axis=-1)

    def _add_outputs(self, graph: Graph, value: str) -> None:
        if self._of_labels:
            add_labels(graph, value, len(self.classes_))
        else:
            add_classes(graph, value, self.classes_)

    def _expected(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"label": self.predict(rows), "probabilities": self.predict_proba(rows)}

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> "NeuralClassifier":
        """Train on inputs `X` and their classes `y`; `sample_weight`: how much each example counts.

        `y` may have a column of 0 and 1 for each of several labels, of which an example has any number.
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
        self._learn_classes(y)
        examples = with_unit_mean_weights((inputs, self._numbers(y), self._weights(y, sample_weight)))
        validation = self._validation(X_val, y_val, self._numbers)
        return self._begun(begin, examples, len(self.classes_), self.label_smoothing, validation)

    def _targets(self, X: Any, y: Any) -> np.ndarray:
        """The classes, or a column of 0 and 1 for each label."""
        # What is not finite is refused, and need not be warned of.
        with np.errstate(invalid="ignore"):
            kind = None if y is None else type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            y = np.asarray(y.todense() if sparse.issparse(y) else y, np.int32)
            check_consistent_length(X, y)
            return y
        return super()._targets(X, y)

    def _learn_classes(self, y: np.ndarray) -> None:
        """Which classes there are; labels are called by their columns.

        **Raises** `InputError` where there is one alone, scikit-learn's `ValueError` for what are no classes.
        """
        if y.ndim == 2:
            self._kind, self.classes_ = "labels", np.arange(y.shape[1])
            return
        check_classification_targets(y)
        self._kind, self.classes_ = "classification", np.unique(y)
        if len(self.classes_) < 2:
            label = self.classes_.tolist()[0]
            raise InputError(f"y holds 1 class ({label!r}): a classifier needs examples of 2 or more")

    def examples(self, X: Any, y: Any) -> Examples:
        """Inputs and classes as the loss of the training that was begun takes them."""
        return self._inputs(X, reset=False), self._numbers(self._targets(X, y)), None

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`; of labels, that each is there."""
        # In double precision, so that each row sums to 1 for those who compare it with 1. The largest score is taken
        # away first, and no exponential overflows.
        scores = self._scores(X).astype(np.float64)
        if self._of_labels:
            return np.asarray(expit(scores))
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class; of labels, 1 for each that is more likely there than not."""
        scores = self._scores(X)
        return (scores > 0).astype(int) if self._of_labels else self.classes_[scores.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of classes that are predicted; of labels, of examples with all of them right."""
        return float(super().score(X, y, checked_weights(sample_weight, y)))

    def _numbers(self, y: np.ndarray, name: str = "y_val", known: str = "y") -> np.ndarray:
        """Which of the classes each is, or the labels of each; of `name`, while the classes are those of `known`."""
        columns = len(self.classes_) if self._of_labels else None
        if (y.shape[1] if y.ndim == 2 else None) != columns:
            one = f"{columns} labels" if columns else "one class"
            raise InputError(f"{name} has the shape {y.shape}, but {known} has {one} for each example")
        if self._of_labels:
            return y.astype(np.int32)
        places = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (unknown := self.classes_[places] != y).any():
            raise InputError(f"{name} has the class {y[unknown].tolist()[0]!r}, which {known} has not")
        return places.astype(np.int32)

    def _weights(self, y: np.ndarray, sample_weight: Any) -> np.ndarray | None:
        """What each example counts; `None` if all count alike."""
        weights = checked_weights(sample_weight, y)
        if self.class_weight is None:
            return weights
        if self._of_labels:
            raise InputError("class_weight is for one class an example, but y has several labels: leave it out, or "
                             "give sample_weight")
        by_class = weights_of_classes(self.class_weight, self.classes_, y, sample_weight)
        each = by_class[np.searchsorted(self.classes_, y)]
        return each if weights is None else weights * each

    def _check_settings(self) -> None:
        super()._check_settings()
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing must be at least 0 and less than 1, but is {self.label_smoothing}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
