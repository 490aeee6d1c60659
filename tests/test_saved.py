"""Estimators as files: what comes back is what was saved, and what is none of them is refused on a line."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

import descend
from descend import CheckpointError, InputError
from descend.engine.storing import read_arrays, write_arrays
from descend.linear import SVC, SVR, HuberRegressor, LogisticRegression, LossRegressor, OneClassSVM, Perceptron, Ridge
from descend.linear._losses import SQUARED
from descend.neural import ConvClassifier, LanguageModel, MLPClassifier, MLPRegressor, TextClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
CLASSES = np.array(["ant", "bee", "cow"])[np.arange(40) % 3]
PIXELS = RNG.integers(0, 256, (40, 6, 6)).astype(np.uint8)
TEXTS = ["the cat sat", "a dog ran", "stock fell", "bond markets rose"] * 10
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(town=CLASSES, late=X[:, 0] > 0)

MODELS = {
    "logistic": (LogisticRegression(C=2.0), X, CLASSES),
    "of two": (LogisticRegression(solver=descend.SGD(0.1), max_iter=5), X.astype(np.float32), X[:, 0] > 0),
    "ridge": (Ridge(alpha=np.float64(0.3), positive=True), FRAME[["a", "b"]], X[:, 0]),
    "huber": (HuberRegressor(), X, X[:, 0]),
    "perceptron": (Perceptron(class_weight={0: 1.0, 1: 2.0}), sparse.csr_array(X), np.arange(40) % 2),
    "outliers": (OneClassSVM(nu=0.2), X, None),
    "kernel": (SVC(kernel="poly", n_components=5, random_state=3), X, CLASSES),
    "sparse kernel": (SVR(n_components=5), sparse.csr_matrix(X), X[:, 0]),
    "mlp": (MLPClassifier((4, 3), "tanh", epochs=1, optimizer=descend.Adam(0.01)), FRAME[["a", "b"]], CLASSES),
    "labels": (MLPClassifier(4, epochs=1, optimizer="adam", alpha=0.1), sparse.csr_array(X), (X > 0).astype(int)),
    "numbers": (MLPRegressor(4, epochs=1, random_state=1), X, X[:, :2]),
    "pictures": (ConvClassifier(width=2, epochs=1, batch_size=40), PIXELS, CLASSES),
    "lenet": (ConvClassifier("lenet", epochs=1, batch_size=40), np.kron(PIXELS, np.ones((1, 4, 4))), np.arange(40) % 2),
    "texts": (TextClassifier(ngrams=2, epochs=1), TEXTS, np.arange(40) % 2),
    "reader": (TextClassifier("transformer", width=8, depth=1, heads=2, epochs=1), TEXTS, ["a", "b"] * 20),
    "table": (descend.TableClassifier(model="linear", column={"town": "category"}), FRAME.drop(columns="late"),
              FRAME["late"]),
    "table of numbers": (descend.TableRegressor(model="linear", random_state=3), FRAME.to_numpy(), X[:, 0]),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("place", ["model.safetensors", "folder"])
def test_what_comes_back_is_what_was_saved(name, place, tmp_path, fitted):
    model, given = fitted(name)
    model.save(tmp_path / place)
    found = type(model).load(tmp_path / place) if place == "folder" else descend.load_model(tmp_path / place)
    assert type(found) is type(model)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(found, method)(given), getattr(model, method)(given))
            assert getattr(found, method)(given).dtype == getattr(model, method)(given).dtype
    assert repr(found.get_params()) == repr(model.get_params())
    assert repr(clone(found)) == repr(clone(model))
    # Of a network's training, the history and the rule are left out; of Huber's, which rows were outliers.
    kept = set(vars(model)) - {"history_", "rule_", "outliers_", "_epochs"}
    assert kept <= set(vars(found))
    if hasattr(model, "stop_reason_"):
        assert found.stop_reason_ == model.stop_reason_


@pytest.fixture(scope="module")
def fitted():
    """A model by its name, fitted once."""
    made = {}

    def get(name):
        if name not in made:
            model, given, y = MODELS[name]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made[name] = clone(model).fit(given, y)
        return made[name], MODELS[name][1]

    return get


def test_a_language_model_is_loaded_by_the_same_door(tmp_path):
    model = LanguageModel("tiny", layers=1, width=8, heads=2, context=8, steps=1, validation_fraction=0, random_state=0)
    model.fit("ab cd " * 20)
    for place in ("folder", "one.safetensors"):
        model.save(tmp_path / place)
        found = descend.load_model(tmp_path / place)
        assert found.generate("ab", 5) == model.generate("ab", 5)
        assert isinstance(LanguageModel.load(tmp_path / place), LanguageModel)


def test_the_file_is_numbers_and_json(tmp_path, fitted):
    fitted("mlp")[0].save(tmp_path)
    raw = (tmp_path / "model.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    _, _, text = json.loads(raw[8 : 8 + length])["__metadata__"]["descend"].partition(" ")
    assert json.loads(text)["estimator"]["class"] == "MLPClassifier"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Ridge(), "not fitted"),
        (LossRegressor(SQUARED), "loss is .* which no file can hold"),
        (SVR(random_state=np.random.RandomState(0)), "random_state is RandomState.*set it to what can be"),
    ],
)
def test_what_cannot_be_saved_is_refused(model, says, tmp_path):
    if not isinstance(model, Ridge):
        model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match=says):
        model.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_what_is_of_the_process_is_left_out(tmp_path):
    model = MLPRegressor(2, epochs=1, observers=[lambda _: None], checkpoint=tmp_path / "way.safetensors",
                         random_state=0).fit(X, X[:, 0])
    model.save(tmp_path / "model.safetensors")
    found = MLPRegressor.load(tmp_path / "model.safetensors")
    assert (found.observers, found.checkpoint) == ((), None)


def test_another_class_is_refused_by_its_name(tmp_path, fitted):
    fitted("ridge")[0].save(tmp_path)
    with pytest.raises(InputError, match="has a Ridge, and no LogisticRegression: load it by"):
        LogisticRegression.load(tmp_path)
    with pytest.raises(InputError, match="has no TableClassifier"):
        descend.TableClassifier.load(tmp_path)
    with pytest.raises(InputError, match="there is no model at"):
        Ridge.load(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="there is no folder"):
        descend.load_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("estimator", "class"), "posix", "an estimator posix, of which descend has none"),
        (("estimator", "settings", "alpha"), -1.0, "settings that mean nothing"),
        (("estimator", "settings", "mystery"), 1, "settings that mean nothing"),
        (("estimator", "settings", "alpha"), {"number": [[0.0], "V1000000000"]}, "settings must be named settings"),
        (("estimator", "settings", "solver"), {"setting": ["system", {}]}, "cannot be made here"),
        (("estimator", "columns"), 3, "names must be as many as there are columns"),
        (("version",), 99, "another version"),
    ],
)
def test_what_was_changed_is_refused_on_a_line(path, value, says, tmp_path, fitted):
    fitted("ridge")[0].save(tmp_path)
    file = tmp_path / "model.safetensors"
    arrays, facts = read_arrays(file)
    inside = facts
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    write_arrays(file, arrays, facts)
    with pytest.raises(CheckpointError, match=says) as refused:
        descend.load_model(tmp_path)
    assert "\n" not in str(refused.value)


def test_arrays_of_another_shape_are_refused(tmp_path, fitted):
    fitted("ridge")[0].save(tmp_path)
    arrays, facts = read_arrays(tmp_path / "model.safetensors")
    for changed in (np.zeros(5), np.array([np.nan, 1.0]), np.zeros(2, np.int64)):
        write_arrays(tmp_path / "model.safetensors", arrays | {"coef_": changed}, facts)
        with pytest.raises(CheckpointError, match="coef_ must be"):
            Ridge.load(tmp_path)


def test_a_place_that_cannot_be_written_to_is_told(tmp_path, fitted):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        fitted("ridge")[0].save(tmp_path / "file" / "model.safetensors")
