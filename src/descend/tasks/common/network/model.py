"""A network with the names of its classes, as it is kept in a run's folder."""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from descend._facts import Facts
from descend.errors import CheckpointError, InputError
from descend.neural.storing import Classifier, from_parts, to_parts
from descend.tasks.common.predicting import Predictions

# Of a network's model file.
NETWORK_VERSION = 1
OTHER_VERSION = "the model was written by another version of descend: train again with `descend fit`"
Network = Classifier


@dataclass(frozen=True)
class NetworkModel(ABC):
    """All that a prediction needs: the network, the names of its classes, and the column that inputs are in.

    `kind`: what the file calls it. `network_type`: the networks that it has. In place of one there may be another
    classifier, of which a kind of model has then to say what is stored.
    """

    network: Any
    classes: tuple[str, ...]
    column: str = ""

    kind: ClassVar[str]
    network_type: ClassVar[type]

    def predict(self, inputs: Any) -> np.ndarray:
        """The probability of each class, for each of the inputs."""
        chances: np.ndarray = self.network.predict_proba(inputs)
        return chances

    def describe(self) -> str:
        """What it is, in a few words."""
        return str(self.network.describe())

    def as_estimator(self) -> Any:
        """The network, with the names of the classes."""
        network = copy(self.network)
        network.classes_ = np.array(self.classes, dtype=object)
        return network

    def predictions(self, source: str, interval: float | None = None) -> Predictions:
        """What it says of all that a source has.

        **Raises** `InputError` if the source is damaged, or not of the kind that the model was trained on; and for an
        interval, as only models of tables are validated on enough rows for that.
        """
        if interval is not None:
            raise InputError(f"intervals are for models of tables, and this one is of {self.kind}: leave them out")
        return self.said_of(source)

    @abstractmethod
    def said_of(self, source: str) -> Predictions:
        """The same, without intervals."""

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name."""
        network, arrays = to_parts(self.network)
        facts = {"version": NETWORK_VERSION, "kind": self.kind, "network": network, "classes": list(self.classes),
                 "column": self.column}
        return facts, arrays

    @classmethod
    def from_parts(cls, told: Facts, arrays: dict[str, np.ndarray]) -> "NetworkModel":
        """The model that `to_parts` took apart.

        **Raises** `CheckpointError` if it is damaged, or of another version.
        """
        if told.any("version") != NETWORK_VERSION:
            raise CheckpointError(OTHER_VERSION)
        network, classes = from_parts(told.any("network"), arrays), told.texts("classes")
        if len(classes) != len(network.classes_):
            told.refuse("classes", f"{len(network.classes_)} names", classes)
        if not isinstance(network, cls.network_type):
            told.refuse("kind", "that of the network", cls.kind)
        return cls(network, classes, told.text("column"))
