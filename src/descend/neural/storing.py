"""Trained classifiers as facts for JSON and arrays for safetensors, and back; nothing is executed in reading them."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from descend._facts import MAX_COUNT, Facts, checked_array, refuse, refuse_nonfinite, refuse_other_size
from descend._tree import join, split
from descend.engine.storing import tree_from_arrays, tree_to_arrays
from descend.errors import CheckpointError
from descend.neural._hashing import NGrams, Words
from descend.neural._lenet import MIN_SIDE, LeNet
from descend.neural._residual import Residual
from descend.neural._transformer import Encoder
from descend.neural._words import WORD_RULE_VERSION
from descend.neural.images import ConvClassifier
from descend.neural.text import MAX_NGRAMS_IN_TEXT, MAX_WORDS_IN_TEXT, TextClassifier

SAVED_NETWORK = "the saved network"
# What a file may ask for at the most, numbers of a picture and words in a row: files may be anybody's.
LARGEST_PICTURE = 2**20
MAX_NGRAM_WORDS = 64
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
    facts: dict[str, Any] = {"kind": kind, "classes": len(model.classes_), "settings": settings}
    arrays = tree_to_arrays(split(model.network_)[0], "network") | tree_to_arrays(model.state_, "state")
    if isinstance(model, ConvClassifier):
        facts |= {"shape": list(model.image_shape_), "bytes": model.are_bytes_, "centre": model.centre_,
                  "scale": model.scale_}
    else:
        known = asdict(model.vocabulary_)
        arrays |= {f"vocabulary/{name}": value for name, value in known.items() if isinstance(value, np.ndarray)}
        numbers = {name: value for name, value in known.items() if not isinstance(value, np.ndarray)}
        facts["vocabulary"] = {"rule": WORD_RULE_VERSION, **numbers}
    return facts, arrays


def from_parts(facts: Any, arrays: dict[str, np.ndarray]) -> Classifier:
    """The classifier that `to_parts` took apart, ready to predict.

    **Raises** `CheckpointError` if the parts are those of no classifier, or not of the types and the shapes that its
    settings lead to.
    """
    told = Facts(facts, SAVED_NETWORK)
    refuse_nonfinite(arrays, SAVED_NETWORK)
    outputs = told.whole("classes", 2, MAX_COUNT)
    if told.choice("kind", ARCHITECTURE) == "ConvClassifier":
        model, size = _images(told, outputs)
    else:
        model, size = _texts(told, arrays, outputs)
    # As many numbers as there are, and any will do: those that were trained take their place.
    refuse_other_size(arrays, "network", size, SAVED_NETWORK)
    model.classes_ = np.arange(outputs)
    inputs = np.broadcast_to(0.0, (1, *model.image_shape_)) if isinstance(model, ConvClassifier) else None
    begin = model._init_network(inputs, outputs, np.random.default_rng(0))
    numbers, rest = split(begin.network)
    model.network_ = join(tree_from_arrays(numbers, arrays, "network"), rest)
    model.state_ = tree_from_arrays(begin.state, arrays, "state")
    # Of a variance below 0 there is no root, and scores would be NaN.
    if any(array.min(initial=0) < 0 for name, array in arrays.items() if name.startswith("state/") and "var" in name):
        told.refuse("state", "variances of at least 0", "less")
    return model


def _images(told: Facts, outputs: int) -> tuple[ConvClassifier, int]:
    """The classifier with what it learnt of its inputs, and how many weights its network must have."""
    made, shape = told.inner("settings"), told.wholes("shape")
    if len(shape) != 3 or math.prod(shape) > LARGEST_PICTURE:
        told.refuse("shape", f"height, width and channels, {LARGEST_PICTURE:,} numbers at the most", shape)
    images = ConvClassifier(made.choice("model", ("lenet", "residual")), width=made.whole("width", 1),
                            dropout=made.number("dropout", 0, 1))
    if images.model == "lenet" and min(shape[:2]) < MIN_SIDE:
        told.refuse("shape", f"at least {MIN_SIDE} pixels high and wide", shape)
    images.image_shape_, images.are_bytes_ = shape, told.truth("bytes")
    images.centre_, images.scale_ = told.number("centre"), told.number("scale", float(np.finfo(np.float32).tiny))
    size = LeNet.size(shape, outputs) if images.model == "lenet" else Residual.size(shape, outputs, images.width)
    return images, size


def _texts(told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[TextClassifier, int]:
    """The same for texts."""
    made, known = told.inner("settings"), told.inner("vocabulary")
    if not known.has("rule") or known.any("rule") != WORD_RULE_VERSION:
        raise CheckpointError(f"{SAVED_NETWORK} knows words that were told by another rule than this version of "
                              "descend has: train again")
    width, depth, heads = (made.whole(name, 1) for name in ("width", "depth", "heads"))
    dropout = None if made.any("dropout") is None else made.number("dropout", 0, 1)
    model, ngrams = made.choice("model", ("bag", "transformer")), made.whole("ngrams", 1, MAX_NGRAM_WORDS)
    texts = TextClassifier(model, ngrams=ngrams, width=width, depth=depth, heads=heads, dropout=dropout)
    hashes = _hashes(arrays)
    if model == "bag":
        rarity = checked_array(arrays, "vocabulary/rarity", SAVED_NETWORK, hashes.shape, "f")
        longest = known.whole("longest", ngrams, ngrams)
        texts.vocabulary_ = NGrams(hashes, rarity, longest, known.whole("length", 1, MAX_NGRAMS_IN_TEXT))
        return texts, (len(hashes) + 1) * outputs
    if width % heads:
        made.refuse("width", f"a multiple of the heads, {heads}", width)
    texts.vocabulary_ = words = Words(hashes, known.whole("length", 1, MAX_WORDS_IN_TEXT))
    return texts, Encoder.size(words.kinds, words.length, outputs, width, depth)


def _hashes(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The hashes of the words that are known, in the order in which they are looked up."""
    hashes = arrays.get("vocabulary/hashes")
    if hashes is None or hashes.ndim != 1 or hashes.dtype.kind != "i" or not len(hashes):
        found = None if hashes is None else (hashes.dtype, hashes.shape)
        refuse(SAVED_NETWORK, "vocabulary/hashes", "whole numbers", found)
    if hashes[0] < 0 or not (hashes[1:] > hashes[:-1]).all():
        refuse(SAVED_NETWORK, "vocabulary/hashes", "rising", hashes)
    return hashes
