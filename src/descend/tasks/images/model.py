"""What tells pictures apart: a network, a kernel, or a blend of both, with the names of the classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from descend._facts import Facts
from descend.errors import CheckpointError
from descend.neural import ConvClassifier
from descend.neural.storing import from_parts, to_parts
from descend.tasks.common.network.model import NETWORK_VERSION, OTHER_VERSION, NetworkModel
from descend.tasks.common.predicting import Predictions, beside, told
from descend.tasks.images.kernel.machine import HogClassifier
from descend.tasks.images.pictures import pictures_to_predict

# Of a file with other models than a network alone.
LADDER_VERSION = 2


class BlendedClassifier(ClassifierMixin, BaseEstimator):
    """The mean of what classifiers of pictures say, each with its share; `parts`: shares, and trained classifiers."""

    def __init__(self, parts: tuple[tuple[float, Any], ...]):
        self.parts = parts
        first = parts[0][1]
        self.classes_, self.image_shape_ = first.classes_, first.image_shape_

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`."""
        return np.sum([share * part.predict_proba(X) for share, part in self.parts], axis=0)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def describe(self) -> str:
        """The classifiers with their shares."""
        return "blend of " + " and ".join(f"{share:.0%} {part.describe()}" for share, part in self.parts)


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
        parts = self.network.parts if isinstance(self.network, BlendedClassifier) else ((1.0, self.network),)
        models: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for number, (_, part) in enumerate(parts):
            facts, own = part.parts() if isinstance(part, HogClassifier) else to_parts(part)
            models.append(facts)
            arrays |= {f"{number}/{name}": array for name, array in own.items()}
        facts = {"version": LADDER_VERSION, "kind": self.kind, "classes": list(self.classes),
                 "shares": [share for share, _ in parts]}
        return facts | {str(number): model for number, model in enumerate(models)}, arrays

    @classmethod
    def from_parts(cls, told: Facts, arrays: dict[str, np.ndarray]) -> "NetworkModel":
        """The model that `to_parts` took apart.

        **Raises** `CheckpointError` if it is damaged, or of another version.
        """
        if told.any("version") == NETWORK_VERSION:
            return super().from_parts(told, arrays)
        if told.any("version") != LADDER_VERSION:
            raise CheckpointError(OTHER_VERSION)
        classes, shares = told.texts("classes"), told.numbers("shares")
        if not (shares and min(shares) > 0 and abs(sum(shares) - 1) < 1e-6):
            told.refuse("shares", "the shares of models, above 0", shares)
        if len(set(classes)) < 2:
            told.refuse("classes", "the names of two or more", classes)
        parts = [_part(told.inner(str(number)), _own(arrays, number), len(classes)) for number in range(len(shares))]
        for part in parts:
            if part.image_shape_ != parts[0].image_shape_ or len(part.classes_) != len(classes):
                told.refuse("shares", "those of models of pictures of one shape, and of these classes", shares)
        whole = parts[0] if len(parts) == 1 else BlendedClassifier(tuple(zip(shares, parts, strict=True)))
        return cls(whole, classes)


def _own(arrays: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    begin = f"{number}/"
    return {name.removeprefix(begin): array for name, array in arrays.items() if name.startswith(begin)}


def _part(told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> Any:
    """A classifier of pictures."""
    kind = told.choice("kind", (HogClassifier.KIND, ConvClassifier.__name__))
    if kind == HogClassifier.KIND:
        return HogClassifier.from_parts(told, arrays, outputs)
    return from_parts({name: told.any(name) for name in told}, arrays)
