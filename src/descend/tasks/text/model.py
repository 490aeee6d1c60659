"""A model of texts: what predicts, its temperature, the names of its classes, and the column that texts are in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from descend._facts import MAX_COUNT, Facts, refuse_nonfinite, shown
from descend.errors import CheckpointError, InputError
from descend.neural import TextClassifier
from descend.neural.storing import from_parts, to_parts
from descend.tasks.common.choosing.blending import Blend
from descend.tasks.common.fitted import Predictor
from descend.tasks.common.judging.temperature import COLDEST, HOTTEST, at_temperature
from descend.tasks.common.linear.model import Linear
from descend.tasks.common.predicting import Predictions, beside, told
from descend.tasks.common.reading import read_table
from descend.tasks.common.target import Target
from descend.tasks.text.ngrams import UNITS, NGrams
from descend.tasks.text.texts import texts_in

# Of a model's file of texts.
TEXT_VERSION = 2


@dataclass(frozen=True)
class LinearOfTexts:
    """A linear model of the n-grams that it knows, and the temperature of its probabilities."""

    known: NGrams
    linear: Linear
    temperature: float = 1.0

    @property
    def kind(self) -> str:
        """What a model's file calls it: what its n-grams are made of."""
        return self.known.unit

    def predict(self, texts: list[str]) -> np.ndarray:
        """The probabilities of the classes."""
        return at_temperature(self.linear.predict(self.known.rows(texts)), self.temperature)

    def describe(self) -> str:
        """What it looks at, and how many of them it knows."""
        what = "words" if self.known.unit == "words" else "runs of letters"
        return f"linear model of {len(self.known.hashes):,} {what}, at a penalty of {self.linear.path.penalty:.3g}"

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The n-grams and the linear model taken apart."""
        known, of_known = self.known.to_parts()
        linear, of_linear = self.linear.to_parts()
        facts = {"ngrams": known, "linear": linear, "temperature": self.temperature}
        return facts, {**of_known, **of_linear}

    @classmethod
    def from_parts(cls, told: Facts, arrays: Mapping[str, np.ndarray], target: Target) -> "LinearOfTexts":
        """What `to_parts` took apart.

        **Raises** `CheckpointError` if it is something else.
        """
        known = NGrams.from_parts(told.inner("ngrams"), arrays)
        linear = Linear.from_parts(told.inner("linear"), arrays, len(known.hashes), target)
        return cls(known, linear, told.number("temperature", COLDEST, HOTTEST))


@dataclass(frozen=True)
class NetworkOfTexts:
    """A network that was trained on texts."""

    network: TextClassifier

    kind: ClassVar[str] = "network"

    def predict(self, texts: list[str]) -> np.ndarray:
        """The probabilities of the classes."""
        return self.network.predict_proba(texts)

    def describe(self) -> str:
        """What kind of network it is, and of which size."""
        return self.network.describe()

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The network taken apart."""
        return to_parts(self.network)

    @classmethod
    def from_parts(cls, told: Facts, arrays: Mapping[str, np.ndarray], target: Target) -> "NetworkOfTexts":
        """What `to_parts` took apart.

        **Raises** `CheckpointError` if it is something else.
        """
        network = from_parts(told.any("predictor"), dict(arrays))
        if not isinstance(network, TextClassifier) or len(network.classes_) != len(target.classes):
            told.refuse("predictor", f"a network of texts with {len(target.classes)} classes", type(network).__name__)
        return cls(network)


@dataclass(frozen=True)
class TextModel:
    """What predicts from texts, with the temperature that puts its probabilities right; 1 leaves them."""

    predictor: Predictor
    classes: tuple[str, ...]
    column: str
    temperature: float = 1.0

    kind: ClassVar[str] = "texts"

    def predict(self, inputs: list[str]) -> np.ndarray:
        """The probability of each class, for each text."""
        return at_temperature(self.predictor.predict(inputs), self.temperature)

    def describe(self) -> str:
        """What it is, in a few words."""
        return self.predictor.describe()

    def as_estimator(self) -> Any:
        """The same with the face of scikit-learn."""
        from descend.tasks.text.estimator import FittedTexts

        return FittedTexts(self)

    def predictions(self, source: str, interval: float | None = None) -> Predictions:
        """The table of texts, with columns beside its own.

        **Raises** `InputError` if the source is damaged, or has no such column; and for an interval, as only models of
        tables are validated on enough rows for that.
        """
        if interval is not None:
            raise InputError(f"intervals are for models of tables, and this one is of {self.kind}: leave them out")
        frame = read_table(source, (self.column,)).frame
        return beside(frame, told(self.predict(texts_in(frame, self.column)), self.classes))

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name."""
        facts, arrays = self.predictor.to_parts()
        told_of = {"version": TEXT_VERSION, "kind": self.kind, "classes": list(self.classes), "column": self.column,
                   "temperature": self.temperature, "model": {"kind": self.predictor.kind, "predictor": facts}}
        return told_of, arrays

    @classmethod
    def from_parts(cls, told: Facts, arrays: dict[str, np.ndarray]) -> "TextModel":
        """The model that `to_parts` took apart.

        **Raises** `CheckpointError` if it is damaged, or of another version.
        """
        if told.any("version") != TEXT_VERSION:
            raise CheckpointError("the model was written by another version of descend: train again with `descend fit`")
        classes = told.texts("classes")
        if not 2 <= len(classes) <= MAX_COUNT:
            told.refuse("classes", "the names of two classes or more", classes)
        target = target_of(classes)
        refuse_nonfinite(arrays, told.where)
        single = lambda one, own: _single(one, own, target)
        model = told.inner("model")
        is_blend = model.text("kind") == Blend.kind
        predictor = Blend.from_parts(model.inner("predictor"), arrays, single) if is_blend else single(model, arrays)
        return cls(predictor, classes, told.text("column"), told.number("temperature", COLDEST, HOTTEST))


def target_of(classes: tuple[str, ...]) -> Target:
    """Classes as the target of models."""
    return Target("binary" if len(classes) == 2 else "multiclass", classes, "classes")


def _single(told: Facts, arrays: Mapping[str, np.ndarray], target: Target) -> Predictor:
    """One that is no blend.

    **Raises** `CheckpointError` for a kind that there is none of.
    """
    kind = told.text("kind")
    if kind in UNITS:
        return LinearOfTexts.from_parts(told.inner("predictor"), arrays, target)
    if kind == NetworkOfTexts.kind:
        return NetworkOfTexts.from_parts(told, arrays, target)
    raise CheckpointError(f"{told.where} has a model of the kind {shown(kind)}, which is none of texts: train again")
