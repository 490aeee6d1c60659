"""Models elsewhere: in onnxruntime and in scikit-learn they give what they give here."""

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_sample_images, load_wine

import descend
from descend import InputError, TableClassifier, TableRegressor
from descend._onnx.graph import Graph
from descend._onnx.writing import write_checked
from descend.linear import (
    SVR,
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    OneClassSVM,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    TweedieRegressor,
)
from descend.neural import ConvClassifier, MLPClassifier, MLPRegressor, TextClassifier
from descend.tasks.images.estimators import BlendedClassifier, HogClassifier

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra: pip install 'descend[export]'")

WINE = load_wine()
DIABETES = load_diabetes()
NAMES = np.array(["ant", "bee", "cow"])[WINE.target]
RNG = np.random.default_rng(0)


def run(path, **inputs):
    """What the file says in onnxruntime, by the outputs' names."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, inputs), strict=True))


def agree(found, model, rows):
    """Whether the outputs are the model's, to 1e-5 of the largest."""
    if "prediction" in found:
        expected = model.predict(rows)
        np.testing.assert_allclose(found["prediction"], expected, atol=1e-5 * np.abs(expected).max())
        return
    assert (found["label"] == model.predict(rows)).all()
    if "probabilities" in found:
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(rows), atol=1e-5)


CLASSIFIERS = [LogisticRegression(), LogisticRegression(multi_class="ovr"), LinearSVC(), Perceptron()]
REGRESSORS = [ElasticNet(), GammaRegressor(), HuberRegressor(), Lasso(), LinearRegression(), LinearSVR(),
              PoissonRegressor(), QuantileRegressor(), Ridge(), TweedieRegressor()]


def fitted(model, y):
    rows = WINE.data if len(y) == len(WINE.data) else DIABETES.data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(rows, y), rows


OF_LINES = [*product(CLASSIFIERS, [WINE.target, NAMES == "bee", NAMES]), *product(REGRESSORS, [DIABETES.target])]


@pytest.mark.parametrize(("model", "y"), OF_LINES)
def test_linear_models(model, y, tmp_path):
    model, rows = fitted(model, y)
    model.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", X=rows), model, rows)
    if getattr(model, "multi_class", "") == "ovr" and len(model.classes_) > 2:
        with pytest.raises(InputError, match=r"predicts what LogisticRegression\(multi_class='ovr'\) does"):
            model.to_sklearn()
        return
    other = model.to_sklearn()
    assert type(other).__module__.startswith("sklearn.")
    assert type(other).__name__ == type(model).__name__
    np.testing.assert_array_equal(other.coef_, model.coef_)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            theirs, ours = getattr(other, method)(rows), getattr(model, method)(rows)
            if theirs.dtype.kind == "f":
                np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-14)
            else:
                np.testing.assert_array_equal(theirs, ours)


def test_outliers(tmp_path):
    model, _ = fitted(OneClassSVM(nu=0.2), WINE.target)
    model.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", X=WINE.data), model, WINE.data)
    np.testing.assert_array_equal(model.to_sklearn().predict(WINE.data), model.predict(WINE.data))


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "gelu", "identity"])
def test_perceptrons(activation, tmp_path):
    model = MLPClassifier((5, 4), activation, epochs=1, random_state=0).fit(WINE.data, NAMES)
    model.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", X=WINE.data), model, WINE.data)


@pytest.mark.parametrize("several", [False, True])
def test_perceptrons_of_numbers(several, tmp_path):
    y = np.column_stack([DIABETES.target, -DIABETES.target]) if several else DIABETES.target
    model = MLPRegressor(5, epochs=1, random_state=0).fit(DIABETES.data, y)
    model.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", X=DIABETES.data), model, DIABETES.data)


@pytest.mark.parametrize(("kind", "numbers"), [("lenet", np.uint8), ("residual", np.float32)])
def test_networks_of_pictures(kind, numbers, tmp_path):
    pictures = RNG.integers(0, 256, (30, 20, 20)).astype(numbers)
    model = ConvClassifier(kind, width=2, epochs=1, random_state=0).fit(pictures, np.arange(30) % 3)
    model.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", X=pictures[..., None]), model, pictures)


@pytest.mark.parametrize(("kind", "numbers"), [("kernel", np.float32), ("blend", np.uint8)])
def test_kernels_and_blends_of_pictures(kind, numbers, tmp_path):
    """Photographs cut into pieces, which are not what the export itself is checked on."""
    pieces = [photo[y : y + 16, x : x + 16] for photo in load_sample_images().images
              for y in range(0, 400, 100) for x in range(0, 600, 100)]
    pictures, names = np.stack(pieces).astype(numbers), np.repeat(["china", "flower"], len(pieces) // 2)
    model = HogClassifier().fit(pictures[::2], names[::2])
    if kind == "blend":
        network = ConvClassifier("lenet", epochs=1, random_state=0).fit(pictures[::2], names[::2])
        model = BlendedClassifier(((0.3, model), (0.7, network)))
    model.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", X=pictures), model, pictures)


def people(rows=120):
    age = RNG.integers(18, 80, rows).astype(float)
    frame = pd.DataFrame({
        "age": np.where(np.arange(rows) % 9 == 0, np.nan, age),
        "town": RNG.choice(["Oslo", "Rome", "Lima", None], rows, p=[0.4, 0.3, 0.2, 0.1]),
        "code": RNG.choice([f"c{number}" for number in range(60)], rows),
        "member": RNG.random(rows) < 0.5,
    })
    return frame, age


FRAME, AGE = people()
TARGETS = {"two": AGE > 45, "three": np.digitize(AGE, [30, 60]), "number": 3 * AGE + 10 * FRAME["member"]}


@pytest.fixture(scope="module")
def table():
    """A table's model, fitted once."""
    made = {}

    def get(target, model):
        if (target, model) not in made:
            kind = TableRegressor if target == "number" else TableClassifier
            steps = {} if model == "linear" else {"epochs": 2}
            made[target, model] = kind(model=model, random_state=0, **steps).fit(FRAME, TARGETS[target])
        return made[target, model]

    return get


@pytest.fixture(scope="module")
def strange():
    """Rows with gaps, and with levels that were not there."""
    frame = FRAME.copy()
    frame.loc[:4, "town"] = "Paris"
    frame.loc[5:9, "code"] = None
    return frame.assign(age=frame["age"].where(np.arange(len(frame)) % 5 > 0))


def columns_of(frame):
    """A frame as the exported model takes it."""
    return {name: (frame[[name]].to_numpy(np.float64) if name in ("age", "member") else
                   frame[[name]].astype(object).where(frame[[name]].notna(), "").to_numpy(object)) for name in frame}


@pytest.mark.parametrize(("target", "model"), [*product(TARGETS, ["linear"]), ("three", "mlp"), ("number", "mlp")])
def test_tables(target, model, table, strange, tmp_path):
    found = table(target, model)
    found.to_onnx(tmp_path / "model.onnx", FRAME)
    agree(run(tmp_path / "model.onnx", **columns_of(strange)), found, strange)


@pytest.mark.parametrize("target", TARGETS)
def test_a_tables_linear_model_is_a_pipeline_of_scikit_learns(target, table, strange):
    found = table(target, "linear")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = found.to_sklearn()
        if target == "number":
            np.testing.assert_allclose(pipeline.predict(strange), found.predict(strange), rtol=1e-10)
        else:
            np.testing.assert_array_equal(pipeline.predict(strange), found.predict(strange))
            np.testing.assert_allclose(pipeline.predict_proba(strange), found.predict_proba(strange), atol=1e-10)


def test_what_cannot_be_exported_is_refused_by_its_name(table, tmp_path):
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, len(FRAME)), unit="D")
    dated = TableClassifier(model="linear", random_state=0).fit(FRAME.assign(day=day), TARGETS["two"])
    with pytest.raises(InputError, match=r"ONNX cannot express what was learnt of 'day' \(date\)"):
        dated.to_onnx(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"scikit-learn alone cannot express .* 'day' \(date\)"):
        dated.to_sklearn()
    with pytest.raises(InputError, match="no linear one"):
        table("three", "mlp").to_sklearn()
    with pytest.raises(InputError, match="SVR is not exported"):
        SVR(n_components=3).fit(WINE.data, WINE.target).to_onnx(tmp_path / "model.onnx")
    texts = TextClassifier(epochs=1, random_state=0).fit(["a cat", "a dog"] * 20, [0, 1] * 20)
    with pytest.raises(InputError, match="words are told apart and hashed"):
        texts.to_onnx(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"end its name with \.onnx"):
        Ridge().fit(WINE.data, WINE.target).to_onnx(tmp_path / "model.pb")
    assert not list(tmp_path.iterdir())


def test_what_does_not_agree_is_not_written(tmp_path):
    graph, file = Graph(), tmp_path / "model.onnx"
    file.write_text("what was there")
    graph.output("y", graph.add("Mul", graph.input("x", np.float64), graph.constant(np.float64(2))), np.float64, (1,))
    ones = np.ones((3, 1))
    with pytest.raises(InputError, match="the exported model is 2e-05 away from this one"):
        write_checked(graph, file, {"x": ones}, {"y": 2 * ones * (1 + 2e-5)})
    assert file.read_text() == "what was there"
    assert write_checked(graph, file, {"x": ones}, {"y": 2 * ones}) == 0


def test_columns_may_be_called_anything(tmp_path):
    frame = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["constant 0", "Concat 3", "ü\n"])
    model = TableRegressor(model="linear", random_state=0).fit(frame, frame.sum(axis=1))
    model.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", **{name: frame[[name]].to_numpy() for name in frame}), model, frame)
    for name, says in (("prediction", "a column is called 'prediction'"), ("", "a column has no name")):
        odd = frame.rename(columns={"Concat 3": name})
        model = TableRegressor(model="linear", random_state=0).fit(odd, frame.sum(axis=1))
        with pytest.raises(InputError, match=says):
            model.to_onnx(tmp_path / "model.onnx")


def test_without_onnx_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'descend\[export\]'"):
        Ridge().fit(WINE.data, WINE.target).to_onnx(tmp_path / "model.onnx")


def test_what_was_loaded_is_exported(table, strange, tmp_path):
    table("two", "linear").save(tmp_path)
    loaded = descend.load_model(tmp_path)
    loaded.to_onnx(tmp_path / "model.onnx")
    agree(run(tmp_path / "model.onnx", **columns_of(strange)), loaded, strange)
