"""Trained classifiers as facts for JSON and arrays for safetensors, and back; nothing is executed in reading them."""

from dataclasses import asdict
from typing import Any

import numpy as np

from descend._tree import join, split
from descend.engine.storing import tree_from_arrays, tree_to_arrays
from descend.errors import CheckpointError
from descend.neural._hashing import Grams, Words
from descend.neural.images import ConvClassifier
from descend.neural.text import TextClassifier

SETTINGS = {  # what the networks are built by
    "ConvClassifier": ("model", "width", "dropout"),
    "TextClassifier": ("model", "ngrams", "width", "depth", "heads", "dropout"),
}
Classifier = ConvClassifier | TextClassifier


def to_parts(model: Classifier) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A dict for JSON, and arrays by name; what is needed to train on is left out.

    The classes must be numbers from 0 on: what they are called is to be kept by whoever called them so.
    """
    kind = type(model).__name__
    settings = {name: getattr(model, name) for name in SETTINGS[kind]}
    facts: dict[str, Any] = {"kind": kind, "classes": len(model.classes_), "settings": settings}
    arrays = tree_to_arrays(split(model.network_)[0], "network") | tree_to_arrays(model.state_, "state")
    if isinstance(model, ConvClassifier):
        facts |= {"shape": list(model.image_shape_), "bytes": model.are_bytes_, "centre": model.centre_,
                  "scale": model.scale_}
    else:
        known = asdict(model.vocabulary_)
        arrays |= {f"vocabulary/{name}": value for name, value in known.items() if isinstance(value, np.ndarray)}
        facts["vocabulary"] = {name: value for name, value in known.items() if not isinstance(value, np.ndarray)}
    return facts, arrays


def from_parts(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> Classifier:
    """The classifier that `to_parts` took apart, ready to predict.

    **Raises** `CheckpointError` if the parts are those of no classifier.
    """
    try:
        model = _bare(facts, {name.removeprefix("vocabulary/"): array for name, array in arrays.items()
                              if name.startswith("vocabulary/")})
        model.classes_ = np.arange(facts["classes"])
        inputs = np.zeros((1, *facts["shape"])) if isinstance(model, ConvClassifier) else None
        # Any numbers will do: those that were trained take their place.
        begin = model._start(inputs, facts["classes"], np.random.default_rng(0))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the saved network is damaged ({error!r}): train again") from error
    numbers, rest = split(begin.network)
    model.network_ = join(tree_from_arrays(numbers, arrays, "network"), rest)
    model.state_ = tree_from_arrays(begin.state, arrays, "state")
    return model


def _bare(facts: dict[str, Any], vocabulary: dict[str, np.ndarray]) -> Classifier:
    """The classifier with what it learnt of its inputs, but without a network."""
    if facts["kind"] == "ConvClassifier":
        images = ConvClassifier(**facts["settings"])
        images.image_shape_, images.are_bytes_ = tuple(facts["shape"]), facts["bytes"]
        images.centre_, images.scale_ = facts["centre"], facts["scale"]
        return images
    if facts["kind"] != "TextClassifier":
        raise ValueError(f"{facts['kind']!r} is no classifier")
    texts = TextClassifier(**facts["settings"])
    learnt: dict[str, Any] = {**vocabulary, **facts["vocabulary"]}
    texts.vocabulary_ = Grams(**learnt) if texts.model == "bag" else Words(**learnt)
    return texts
