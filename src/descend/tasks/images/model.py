"""What tells pictures apart: a network, a kernel, or a blend of both, with the names of the classes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from descend._facts import Facts
from descend.errors import CheckpointError
from descend.neural import ConvClassifier
from descend.tasks.common.network.model import NETWORK_VERSION, OTHER_VERSION, NetworkModel
from descend.tasks.common.predicting import Predictions, beside, told
from descend.tasks.images.blend import BlendedClassifier, apart, together
from descend.tasks.images.pictures import pictures_to_predict

# Of a file with other models than a network alone.
LADDER_VERSION = 2


@dataclass(frozen=True)
class ImageModel(NetworkModel):
    """What tells pictures apart, with the names of its classes."""

    kind: ClassVar[str] = "pictures"
    network_type: ClassVar[type] = ConvClassifier

    def said_of(self, source: str) -> Predictions:
        """A row for each picture, with its file or its number; and notes on files that were passed over."""
        height, width, channels = self.network.image_shape_
        shape = (height, width) if channels == 1 else (height, width, channels)
        pixels, names, notes = pictures_to_predict(source, shape)
        return beside(pd.DataFrame({"picture": names}), told(self.predict(pixels), self.classes), notes)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name; of a network alone as they ever were."""
        if isinstance(self.network, ConvClassifier):
            return super().to_parts()
        parts = self.network.of if isinstance(self.network, BlendedClassifier) else ((1.0, self.network),)
        facts, arrays = apart(parts)
        return {"version": LADDER_VERSION, "kind": self.kind, "classes": list(self.classes)} | facts, arrays

    @classmethod
    def from_parts(cls, told: Facts, arrays: dict[str, np.ndarray]) -> "NetworkModel":
        """The model that `to_parts` took apart.

        **Raises** `CheckpointError` if it is damaged, or of another version.
        """
        if told.any("version") == NETWORK_VERSION:
            return super().from_parts(told, arrays)
        if told.any("version") != LADDER_VERSION:
            raise CheckpointError(OTHER_VERSION)
        classes = told.texts("classes")
        if len(classes) < 2:
            told.refuse("classes", "the names of two or more", classes)
        parts = together(told, arrays, len(classes))
        return cls(parts[0][1] if len(parts) == 1 else BlendedClassifier(parts), classes)
