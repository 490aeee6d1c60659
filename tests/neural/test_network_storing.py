"""Classifiers taken apart and put together: they predict the same bits, and what is damaged is refused."""

import json

import numpy as np
import pytest

from descend import AdamW
from descend.errors import CheckpointError
from descend.neural import ConvClassifier, TextClassifier
from descend.neural.storing import from_parts, to_parts
from descend.neural.words import WORD_RULE_VERSION

RNG = np.random.default_rng(0)
TEXTS = ["the cat sat on the mat", "a cat and a dog", "the stock fell again", "stock and bond markets", ""] * 6
CLASSES = np.array([0, 0, 1, 1, 0] * 6)
BRIEF = {"epochs": 1, "optimizer": AdamW(0.01), "random_state": 0}


def pictures():
    return RNG.integers(0, 256, (30, 12, 12)).astype(np.uint8)


TRAINED = {
    "residual": lambda: ConvClassifier(width=4, **BRIEF).fit(pictures()[:, :5, :5], CLASSES),
    "residual, of other numbers": lambda: ConvClassifier(width=4, **BRIEF).fit(RNG.normal(size=(30, 5, 5, 2)), CLASSES),
    "lenet": lambda: ConvClassifier("lenet", dropout=0.2, **BRIEF).fit(pictures(), CLASSES),
    "bag": lambda: TextClassifier(ngrams=2, **BRIEF).fit(TEXTS, CLASSES),
    "transformer": lambda: TextClassifier("transformer", width=8, heads=2, depth=1, **BRIEF).fit(TEXTS, CLASSES),
}


def inputs_of(model):
    if isinstance(model, TextClassifier):
        return TEXTS
    return RNG.integers(0, 256, (7, *model.image_shape_)).astype(np.uint8 if model.are_bytes_ else np.float32)


@pytest.mark.parametrize("train", TRAINED.values(), ids=TRAINED)
def test_what_comes_back_predicts_the_same(train):
    model = train()
    facts, arrays = to_parts(model)
    again = from_parts(json.loads(json.dumps(facts)), arrays)
    inputs = inputs_of(model)
    assert again.predict_proba(inputs).tobytes() == model.predict_proba(inputs).tobytes()
    assert again.predict(inputs).tolist() == model.predict(inputs).tolist()


def test_damaged_parts():
    facts, arrays = to_parts(TRAINED["bag"]())
    for change in ({"kind": "Pickle"}, {"settings": {"__reduce__": 1}}, {"classes": "two"},
                   {"vocabulary": {"rule": WORD_RULE_VERSION}}):
        with pytest.raises(CheckpointError, match=r"the saved network: .* the file is damaged"):
            from_parts(facts | change, arrays)
    with pytest.raises(CheckpointError, match="the saved network: weights must be"):
        from_parts(facts, {name: array for name, array in arrays.items() if not name.endswith("bias")})


@pytest.mark.parametrize("rule", [None, WORD_RULE_VERSION - 1, WORD_RULE_VERSION + 1])
def test_models_whose_words_were_others_are_refused(rule):
    """They would be used on hashes that they have never seen. Those without a rule are of before there were several."""
    facts, arrays = to_parts(TRAINED["bag"]())
    vocabulary = {name: value for name, value in facts["vocabulary"].items() if name != "rule"}
    if rule is not None:
        vocabulary["rule"] = rule
    with pytest.raises(CheckpointError, match=r"^[^\n]*words that were told by another rule[^\n]*train again$"):
        from_parts(facts | {"vocabulary": vocabulary}, arrays)


@pytest.mark.parametrize("train", TRAINED.values(), ids=TRAINED)
def test_sizes_are_those_of_the_networks(train):
    """What is compared with a file before a network is made counts as a made network does."""
    facts, arrays = to_parts(train())
    less = {name: array for name, array in arrays.items() if name.startswith("network/")}
    first = next(iter(less))
    with pytest.raises(CheckpointError, match="weights must be"):
        from_parts(facts, arrays | {first: less[first].ravel()[:-1]})


@pytest.mark.parametrize(("kind", "change", "said"), [
    ("bag", {"classes": 10**9}, r"weights must be [\d,]{13,}"),
    ("transformer", {"settings": {"model": "transformer", "ngrams": 1, "width": 8, "heads": 2, "depth": 10**9,
                                  "dropout": None}}, "weights must be"),
    ("residual", {"shape": [10**6, 10**6, 1]}, "shape must be height, width and channels"),
    ("residual", {"settings": {"model": "residual", "width": 10**6, "dropout": 0.0}}, "weights must be"),
    ("bag", {"vocabulary": {"rule": WORD_RULE_VERSION, "longest": 2, "length": 10**9}},
     "length must be a whole number from 1 to 256"),
    ("bag", {"settings": {"model": "bag", "ngrams": 10**6, "width": 1, "heads": 1, "depth": 1, "dropout": None}},
     "ngrams must be a whole number from 1 to 64"),
])  # fmt: skip
def test_shapes_are_held_to_the_arrays_before_anything_is_made(kind, change, said):
    facts, arrays = to_parts(TRAINED[kind]())
    with pytest.raises(CheckpointError, match=said):
        from_parts(facts | change, arrays)


def test_weights_that_are_no_numbers():
    facts, arrays = to_parts(TRAINED["bag"]())
    with pytest.raises(CheckpointError, match="network/bias must be finite"):
        from_parts(facts, arrays | {"network/bias": np.full_like(arrays["network/bias"], np.nan)})


def test_words_that_are_not_in_order():
    facts, arrays = to_parts(TRAINED["bag"]())
    with pytest.raises(CheckpointError, match="vocabulary/hashes must be rising"):
        from_parts(facts, arrays | {"vocabulary/hashes": arrays["vocabulary/hashes"][::-1]})
