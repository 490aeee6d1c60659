"""What neural estimators of numbers share."""

import time
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from descend._facts import Facts
from descend._onnx.graph import Graph
from descend._sample_weight import checked_weights
from descend._saved import array_in
from descend._scaling import centre_and_unit
from descend.errors import InputError
from descend.neural._estimator import NeuralEstimator
from descend.neural._objective import Kind, with_unit_mean_weights


class NeuralRegressor(RegressorMixin, NeuralEstimator):
    """A network with a score for each number to predict, which it is trained on in units of their spread."""

    _kind: Kind = "regression"

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> "NeuralRegressor":
        """Train on inputs `X` and their numbers `y`, one or several for each; the rest is as in a classifier."""
        begin = time.perf_counter()
        self._check_settings()
        inputs = self._inputs(X, reset=True)
        targets = self._targets(X, y)
        weights = checked_weights(sample_weight, targets)
        inputs, targets, weights = with_unit_mean_weights((inputs, targets, weights))
        self._learn_units(targets, weights)
        examples, outputs = (inputs, self._scaled(targets), weights), len(self.unit_)
        self._train(self._begun(begin, examples, outputs, validation=self._validation(X_val, y_val, self._scaled)))
        return self

    def _learn_units(self, targets: np.ndarray, weights: np.ndarray | None) -> None:
        # In units of their spread, the loss of any target begins near ½, and one learning rate suits all of them.
        self._is_flat = targets.ndim == 1
        self.centre_, self.unit_ = centre_and_unit(targets.reshape(len(targets), -1).astype(np.float64), weights)

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        facts, arrays = super()._inputs_learnt()
        return facts | {"flat": self._is_flat}, arrays | {"targets/centre": self.centre_, "targets/unit": self.unit_}

    def _outputs_in(self, told: Facts, arrays: dict[str, np.ndarray]) -> int:
        count = arrays["targets/unit"].size if "targets/unit" in arrays else 0
        self._is_flat = told.truth("flat")
        self.centre_, self.unit_ = (array_in(arrays, f"targets/{name}", told.where, (count,))
                                    for name in ("centre", "unit"))
        if self._is_flat and count != 1:
            told.refuse("flat", "of one number", count)
        return count

    def _in_jax(self, rows: Any) -> Any:
        scores = self.network_(self._network_inputs(rows), self.state_, None)[0]
        values = scores.astype(np.float64) * self.unit_ + self.centre_
        return values.squeeze(1) if self._is_flat else values

    def _add_outputs(self, graph: Graph, value: str) -> None:
        graph.output("prediction", value, np.float64, () if self._is_flat else (len(self.unit_),))

    def _expected(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"prediction": self.predict(rows)}

    def _scaled(self, y: np.ndarray) -> np.ndarray:
        """Targets as the network is trained on them."""
        if y.size != len(y) * len(self.unit_):
            raise InputError(f"there are {y.size // len(y)} numbers for each row, but {len(self.unit_)} are predicted")
        return ((y.reshape(len(y), -1).astype(np.float64) - self.centre_) / self.unit_).astype(np.float32)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R², the share of the variance that is explained."""
        return float(super().score(X, y, checked_weights(sample_weight, y)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> np.ndarray:
        """The numbers, in the units of `y`."""
        scores = self._scores(X)
        values = scores * self.unit_ + self.centre_
        return values[:, 0] if self._is_flat else values
