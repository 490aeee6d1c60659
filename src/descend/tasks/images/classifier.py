"""What classifiers of pictures share that are no networks: from probabilities to classes, files and exports."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from descend._facts import Facts
from descend._onnx.classes import add_classes
from descend._onnx.graph import Graph
from descend._onnx.traced import Traced
from descend._saved import Savable


class PictureClassifier(Savable, Traced, ClassifierMixin, BaseEstimator):
    """A classifier of pictures, with the face of scikit-learn.

    A concrete one says what each class's probability is, in NumPy (`predict_proba`) and in JAX (`_in_jax`), and what
    pictures an export is checked on. It is taken apart (`parts`), and put together from what may be anybody's.

    Attributes: `classes_`; `image_shape_`, height, width and channels.
    """

    classes_: np.ndarray
    image_shape_: tuple[int, ...]

    @abstractmethod
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`."""

    @abstractmethod
    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it predicts by, as facts for JSON, and arrays by name."""

    @abstractmethod
    def take_parts(self, told: Facts, arrays: Mapping[str, np.ndarray], outputs: int) -> None:
        """What `parts` gave, for so many classes, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return self.parts()

    def _from_parts(self, told: Facts, arrays: dict[str, np.ndarray]) -> None:
        self.take_parts(told, arrays, len(self.classes_))

    def _add_outputs(self, graph: Graph, value: str) -> None:
        add_classes(graph, value, self.classes_)

    def _expected(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"label": self.predict(rows), "probabilities": self.predict_proba(rows)}
