"""Texts: what is seen of them, what is made of that, and what is said where it means nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import normalize

from descend.errors import InputError
from descend.neural import TextClassifier
from descend.neural._objective import Objective
from descend.neural._transformer import Encoder
from descend.neural.hashing import PADDING, UNKNOWN, NGrams, Words
from descend.neural.text import BAG_GAIN, Bag, curvature
from descend.neural.words import words

PETS = ["the cat sat on the mat", "a cat and a dog", "dogs bark, cats do not!", "my dog ate the mat"]
MONEY = ["the stock fell again", "stock and bond markets", "bonds: up 3 %", "markets fell, bonds did not"]
TEXTS, CLASSES = (PETS + MONEY) * 6, (["pets"] * 4 + ["money"] * 4) * 6
RNG = np.random.default_rng(0)
COUNTS = (6, 3, 3, 0)  # of words in each text


@pytest.fixture(scope="module", params=["bag", "transformer"])
def fitted(request):
    settings = {"width": 16, "heads": 2, "depth": 1} if request.param == "transformer" else {}
    return TextClassifier(request.param, epochs=15, random_state=0, **settings).fit([*TEXTS, ""], [*CLASSES, "pets"])


@pytest.mark.parametrize(("text", "found"), [
    ("The cat's 2 mats!", ["the", "cat", "'", "s", "2", "mats", "!"]),
    ("ÜBER naïve\n\tδ_1", ["über", "naïve", "δ_1"]),
    ("東京 is 大きい", ["東", "京", "is", "大", "き", "い"]),
    (" \n", []),
])
def test_words(text, found):
    assert words(text) == found


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_weights_are_those_of_scikit_learn_with_rare_words_weighing_more(longest):
    texts = [*TEXTS, "", "cat " * 7]
    weigh = TfidfVectorizer(
        tokenizer=words, token_pattern=None, ngram_range=(1, longest), sublinear_tf=True, norm=None
    ).fit(texts)

    def expected(texts):
        return normalize(weigh.transform(texts).toarray() * np.sqrt(weigh.idf_))

    def compare(ours, theirs):
        width = min(ours.shape[1], theirs.shape[1])
        np.testing.assert_allclose(np.sort(ours)[:, -width:], np.sort(theirs)[:, -width:], atol=1e-6)

    known, (numbers, weights) = NGrams.learned(texts, longest, most=1000, length=1000)
    assert len(known.hashes) == len(weigh.idf_)
    compare(weights, expected(texts))
    assert all(len(set(row[weight > 0])) == (weight > 0).sum() for row, weight in zip(numbers, weights, strict=True))
    for to_come in (["cat dog unheard", "unheard of"], texts[::-1]):
        compare(known.rows(to_come)[1], expected(to_come))


def test_what_is_in_few_texts_or_weighs_little_is_left_out():
    texts = ["common rare", "common other"] + ["common"] * 8 + ["common other"]
    _, (numbers, weights) = NGrams.learned(texts, 1, most=2, length=1)
    assert numbers.shape == (11, 1)
    common, other = numbers[0, 0], numbers[1, 0]  # of "common rare", and of "common other", which has a rarer one
    assert common != other
    assert numbers[:, 0].tolist() == [common, other, *[common] * 8, other]
    assert (weights == 1).all()


def test_words_in_their_order():
    known, rows = Words.learned(["a b a c", "", "b"], most=2, length=3)
    a, b = rows[0, :2]
    assert rows.tolist() == [[a, b, a], [PADDING] * 3, [b, PADDING, PADDING]]
    assert known.rows(["c b a a", "d"]).tolist() == [[UNKNOWN, b, a], [UNKNOWN, PADDING, PADDING]]
    assert known.kinds == 4 > max(a, b) > min(a, b) > UNKNOWN


def bag():
    numbers, weights = RNG.integers(0, 9, (4, 6)).astype(np.int32), RNG.uniform(0.1, 1, (4, 6)).astype(np.float32)
    for row, count in enumerate(COUNTS):
        numbers[row, count:] = weights[row, count:] = 0
    return Bag(jnp.asarray(RNG.normal(size=(9, 3)), jnp.float32), jnp.ones(3), dropout=0.0), (numbers, weights)


def encoder():
    numbers = RNG.integers(1, 9, (4, 6)).astype(np.int32)
    for row, count in enumerate(COUNTS):
        numbers[row, count:] = PADDING
    network = Encoder.drawn(9, 8, 3, width=8, depth=1, heads=2, dropout=0.0, rng=np.random.default_rng(1))
    return network, numbers


@jax.jit
def compiled_gradient(network, batch):
    return jax.grad(Objective("classification"))(network, batch)


def gradient(network, inputs, targets):
    batch = jax.tree.map(jnp.asarray, (inputs, targets, None))
    return compiled_gradient(network, batch)


@pytest.mark.parametrize("make", [bag, encoder])
def test_gradient_of_texts_that_are_filled_up_is_that_of_each_by_itself(make):
    network, inputs = make()
    targets = np.array([0, 1, 2, 0], np.int32)
    whole = gradient(network, inputs, targets)
    longer = gradient(network, jax.tree.map(lambda rows: np.pad(rows, ((0, 0), (0, 2))), inputs), targets)
    parts = []
    for row, count in enumerate(COUNTS):
        alone = jax.tree.map(lambda rows, row=row, count=count: rows[row : row + 1, : max(count, 1)], inputs)
        parts.append(gradient(network, alone, targets[row : row + 1]))
    mean = jax.tree.map(lambda *each: sum(each) / 4, *parts)
    for expected in (longer, mean):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), whole, expected)


def test_curvature_is_that_of_the_texts_and_of_a_batch():
    numbers, weights = bag()[1]
    dense = np.zeros((4, 10))
    np.add.at(dense, (np.arange(4)[:, None], numbers), BAG_GAIN * weights)
    dense[:, 9] = 1
    largest = np.linalg.eigvalsh(dense.T @ dense / 4)[-1]
    assert curvature(numbers, weights, 7) == pytest.approx(
        0.5 * (largest + (BAG_GAIN**2 + 1) / 7), rel=0.01
    )  # of four powers


def test_bag_is_a_product_with_the_table():
    network, (numbers, weights) = bag()
    dense = np.zeros((4, 9))
    np.add.at(dense, (np.arange(4)[:, None], numbers), weights)
    expected = BAG_GAIN * dense @ np.asarray(network.table) + np.asarray(network.bias)
    scores, _ = network((jnp.asarray(numbers), jnp.asarray(weights)), None, None)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


@pytest.mark.peers
def test_encoder_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="pip install 'descend[peers]' brings PyTorch")
    network, numbers = encoder()
    numbers = numbers[:3]  # PyTorch gives NaN for a text without words
    tensor = lambda array: torch.tensor(np.asarray(array))
    x = tensor(network.words)[tensor(numbers).long()] + tensor(network.places)[:6]
    for layer in network.layers:
        theirs = torch.nn.TransformerEncoderLayer(
            8, 2, 32, dropout=0.0, batch_first=True, norm_first=True,
            activation=lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        )
        given = {
            "self_attn.in_proj_weight": layer.queries_keys_values.T, "self_attn.in_proj_bias": np.zeros(24, np.float32),
            "self_attn.out_proj.weight": layer.together.T, "self_attn.out_proj.bias": np.zeros(8, np.float32),
            "linear1.weight": layer.widen.T, "linear1.bias": layer.widen_bias,
            "linear2.weight": layer.narrow.T, "linear2.bias": layer.narrow_bias,
            "norm1.weight": layer.before_attention.scale, "norm1.bias": layer.before_attention.shift,
            "norm2.weight": layer.before_widening.scale, "norm2.bias": layer.before_widening.shift,
        }
        theirs.load_state_dict({name: tensor(value) for name, value in given.items()})
        x = theirs(x, src_key_padding_mask=tensor(numbers == PADDING))
    x = torch.nn.functional.layer_norm(x, (8,))
    means = torch.stack([x[row, :count].mean(0) for row, count in enumerate(COUNTS[:3])])
    expected = (means @ tensor(network.weight) + tensor(network.bias)).detach()
    np.testing.assert_allclose(network(jnp.asarray(numbers), None, None)[0], expected, atol=2e-6)


def test_learns(fitted):
    assert fitted.score(TEXTS, CLASSES) > 0.95
    assert fitted.predict(["cats and my dog", "bond markets"]).tolist() == ["pets", "money"]


def test_texts_without_known_words(fitted):
    unheard = fitted.predict_proba(["unheard of", "", "!?", "unheard of " * 500])
    assert np.isfinite(unheard).all()
    np.testing.assert_allclose(unheard.sum(axis=1), 1)
    assert fitted.predict(np.array(["", "the cat"])).shape == (2,)


def test_unseen_words_of_a_bag_leave_the_shares_of_the_classes():
    texts = ["same words"] * 100
    model = TextClassifier(epochs=30, batch_size=20, random_state=0).fit(texts, ["a"] * 75 + ["b"] * 25)
    np.testing.assert_allclose(model.predict_proba(["unheard"]), model.predict_proba([""]))
    assert model.predict(["unheard"]) == ["a"]


def test_any_column_of_texts_will_do(fitted):
    expected = fitted.predict_proba(TEXTS)
    for X in (tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS, index=range(5, 5 + len(TEXTS)))):
        np.testing.assert_array_equal(fitted.predict_proba(X), expected)


@pytest.mark.peers
def test_a_series_of_polars(fitted):
    polars = pytest.importorskip("polars", reason="pip install polars")
    np.testing.assert_array_equal(fitted.predict(polars.Series(TEXTS)), fitted.predict(TEXTS))


@pytest.mark.parametrize(("X", "message"), [
    ("one text", r"list of texts, but is one text: write \[text\]"),
    (3, "but is of type int"),
    ([], "X holds no texts"),
    (np.array([["a"], ["b"]]), r"shape \(2, 1\)"),
    (pd.DataFrame({"a": ["b", "c"]}), r"shape \(2, 1\)"),
    (["a", None], "number 1 is None of type NoneType"),
    (pd.Series(["a", "b", np.nan], dtype=object), "number 2 is nan of type float"),
    ([b"a", "b"], "number 0 is b'a' of type bytes"),
    (["", " \n"], "all 2 texts are empty"),
])
@pytest.mark.parametrize("model", ["bag", "transformer"])
def test_what_are_no_texts(model, X, message):
    with pytest.raises(InputError, match=message) as error:
        TextClassifier(model).fit(X, [0, 1])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("settings", "message"), [
    ({"model": "forest"}, "model must be one of bag, transformer"),
    ({"ngrams": 0}, "ngrams must be at least 1"),
    ({"width": 30}, "width must be a multiple of heads"),
    ({"dropout": 1.0}, "dropout must be at least 0 and less than 1"),
])
def test_settings_that_mean_nothing(settings, message):
    with pytest.raises(InputError, match=message):
        TextClassifier(**settings).fit(TEXTS, CLASSES)


def test_one_class_is_not_enough():
    with pytest.raises(InputError, match="y holds 1 class"):
        TextClassifier().fit(TEXTS, ["pets"] * len(TEXTS))


def test_classes_and_examples_can_weigh():
    texts, y = ["same words"] * 40, np.array([0] * 30 + [1] * 10)
    settings = {"epochs": 30, "random_state": 0, "batch_size": 10}
    plain = TextClassifier(**settings).fit(texts, y)
    balanced = TextClassifier(**settings, class_weight="balanced").fit(texts, y)
    weighted = TextClassifier(**settings).fit(texts, y, sample_weight=np.where(y == 1, 30.0, 1.0))
    assert [model.predict(["same words"])[0] for model in (plain, weighted)] == [0, 1]
    np.testing.assert_allclose(balanced.predict_proba(["same words"]), 0.5, atol=0.1)


def test_smoothed_labels_make_less_sure():
    plain, smooth = (TextClassifier(epochs=5, random_state=0, label_smoothing=share).fit(TEXTS, CLASSES)
                     for share in (0.0, 0.5))
    assert smooth.predict_proba(TEXTS).max() < 0.9 < plain.predict_proba(TEXTS).max()
    assert smooth.score(TEXTS, CLASSES) > 0.9


def test_going_on_keeps_the_words():
    model = TextClassifier(epochs=1, random_state=0, warm_start=True).fit(TEXTS, CLASSES)
    before = model.vocabulary_
    model.fit(TEXTS[:8], CLASSES[:8])
    assert model.vocabulary_ is before


def test_search_over_settings():
    search = GridSearchCV(TextClassifier(epochs=5, random_state=0), {"ngrams": [2]}, cv=2).fit(TEXTS, CLASSES)
    assert search.best_params_ == {"ngrams": 2}
    assert clone(search.best_estimator_).get_params()["model"] == "bag"
