"""The networks of runs as facts for JSON and arrays for safetensors, and back; nothing is executed in reading them."""

from typing import Any

import numpy as np

from descend._facts import MAX_COUNT, Facts, refuse_nonfinite
from descend.errors import CheckpointError, reading
from descend.neural.images import MODELS, ConvClassifier
from descend.neural.text import MAX_NGRAM_WORDS, TextClassifier

SAVED_NETWORK = "the saved network"
# What the networks are built by.
ARCHITECTURE = {
    "ConvClassifier": ("model", "width", "dropout"),
    "TextClassifier": ("model", "ngrams", "width", "depth", "heads", "dropout"),
}
Classifier = ConvClassifier | TextClassifier


def to_parts(model: Classifier) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A dict for JSON, and arrays by name; what is needed to train on is left out.

    The classes must be numbers from 0 on: what they are called is to be kept by whoever called them so.
    """
    kind = type(model).__name__
    settings = {name: getattr(model, name) for name in ARCHITECTURE[kind]}
    facts, arrays = model.parts()
    return {"kind": kind, "classes": len(model.classes_), "settings": settings, **facts}, arrays


def from_parts(facts: Any, arrays: dict[str, np.ndarray]) -> Classifier:
    """The classifier that `to_parts` took apart, ready to predict.

    **Raises** `CheckpointError` if the parts are those of no classifier, or not of the types and the shapes that its
    settings lead to.
    """
    told = Facts(facts, SAVED_NETWORK)
    refuse_nonfinite(arrays, SAVED_NETWORK)
    outputs = told.whole("classes", 2, MAX_COUNT)
    made = told.inner("settings")
    model = _images(made) if told.choice("kind", ARCHITECTURE) == "ConvClassifier" else _texts(made)
    with reading(f"{SAVED_NETWORK} cannot be made", CheckpointError):
        model.take_parts(told, arrays, outputs)
    model.classes_ = np.arange(outputs)
    return model


def _images(made: Facts) -> ConvClassifier:
    return ConvClassifier(made.choice("model", MODELS), width=made.whole("width", 1),
                          dropout=made.number("dropout", 0, 1))


def _texts(made: Facts) -> TextClassifier:
    width, depth, heads = (made.whole(name, 1) for name in ("width", "depth", "heads"))
    if width % heads:
        made.refuse("width", f"a multiple of the heads, {heads}", width)
    dropout = None if made.any("dropout") is None else made.number("dropout", 0, 1)
    return TextClassifier(made.choice("model", ("bag", "transformer")), ngrams=made.whole("ngrams", 1, MAX_NGRAM_WORDS),
                          width=width, depth=depth, heads=heads, dropout=dropout)
