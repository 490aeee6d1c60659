"""The mean of what several classifiers of pictures say."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from descend._facts import Facts
from descend._saved import Savable
from descend.neural import ConvClassifier
from descend.neural.storing import from_parts, to_parts
from descend.tasks.images.classifier import PictureClassifier
from descend.tasks.images.kernel.machine import HogClassifier

# Shares, and trained classifiers.
Parts = Sequence[tuple[float, Any]]


class BlendedClassifier(PictureClassifier):
    """The mean of what classifiers of pictures say, each with its share; `of`: shares, and trained
    classifiers."""

    _unsaved: ClassVar[frozenset[str]] = Savable._unsaved | {"of"}

    def __init__(self, of: Parts = ()):
        self.of = of
        if of:
            self._take_first()

    def fit(self, X: Any, y: Any) -> "BlendedClassifier":
        """Train each of them anew; the shares stay."""
        for _, part in self.of:
            part.fit(X, y)
        self._take_first()
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`."""
        return np.sum([share * part.predict_proba(X) for share, part in self.of], axis=0)

    def describe(self) -> str:
        """The classifiers with their shares."""
        return "blend of " + " and ".join(f"{share:.0%} {part.describe()}" for share, part in self.of)

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it predicts by, as facts for JSON, and arrays by name."""
        return apart(self.of)

    def take_parts(self, told: Facts, arrays: Mapping[str, np.ndarray], outputs: int) -> None:
        """What `parts` gave, for so many classes, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """
        self.of = together(told, arrays, outputs)
        self.image_shape_ = self.of[0][1].image_shape_

    def _take_first(self) -> None:
        first = self.of[0][1]
        self.classes_, self.image_shape_ = first.classes_, first.image_shape_

    def _drawn_rows(self) -> np.ndarray:
        drawn: np.ndarray = self.of[0][1]._drawn_rows()
        return drawn

    def _in_jax(self, rows: Any) -> Any:
        return sum(share * part._in_jax(rows) for share, part in self.of)


def apart(of: Parts) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Classifiers with their shares, as facts for JSON, and arrays by name."""
    facts: dict[str, Any] = {"shares": [share for share, _ in of]}
    arrays: dict[str, np.ndarray] = {}
    for number, (_, part) in enumerate(of):
        facts[str(number)], own = _kinds_parts(part)
        arrays |= {f"{number}/{name}": array for name, array in own.items()}
    return facts, arrays


def together(told: Facts, arrays: Mapping[str, np.ndarray], outputs: int) -> Parts:
    """What `apart` took apart, for so many classes, of a file that may be anybody's.

    **Raises** `CheckpointError` if it is something else.
    """
    shares = told.numbers("shares")
    if not (shares and min(shares) > 0 and abs(sum(shares) - 1) < 1e-6):
        told.refuse("shares", "the shares of models, above 0", shares)
    parts = [_part(told.inner(str(number)), _own(arrays, number), outputs) for number in range(len(shares))]
    for part in parts:
        if part.image_shape_ != parts[0].image_shape_ or len(part.classes_) != outputs:
            told.refuse("shares", "those of models of pictures of one shape, and of these classes", shares)
    return tuple(zip(shares, parts, strict=True))


def _kinds_parts(part: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A classifier taken apart, with what it is."""
    if not isinstance(part, HogClassifier):
        return to_parts(part)
    facts, arrays = part.parts()
    return {"kind": HogClassifier.__name__} | facts, arrays


def _own(arrays: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    begin = f"{number}/"
    return {name.removeprefix(begin): array for name, array in arrays.items() if name.startswith(begin)}


def _part(told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> Any:
    """A classifier of pictures."""
    kind = told.choice("kind", (HogClassifier.__name__, ConvClassifier.__name__))
    if kind == ConvClassifier.__name__:
        return from_parts({name: told.any(name) for name in told}, arrays)
    made = HogClassifier()
    made.take_parts(told, arrays, outputs)
    made.classes_ = np.arange(outputs)
    return made
