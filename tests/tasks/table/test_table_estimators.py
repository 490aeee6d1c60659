"""Tables' models with the faces of scikit-learn: its contract, what people pass, and what comes of it."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from descend import InputError, TableClassifier, TableRegressor, load_model
from descend._saved import MODEL_FILE
from descend.engine.storing import write_arrays
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.task import fit_table

RNG = np.random.default_rng(0)


def linear(kind=TableClassifier, **settings):
    return kind(model="linear", random_state=0, **settings)


def people(rows=80):
    """A frame as people have it, gaps, levels, dates and flags; with a class and a number that hang on it."""
    age = RNG.integers(18, 80, rows).astype(float)
    frame = pd.DataFrame({
        "age": np.where(np.arange(rows) % 9 == 0, np.nan, age),
        "town": RNG.choice(["Oslo", "Rome", "Lima"], rows),
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, rows), unit="D"),
        "member": RNG.random(rows) < 0.5,
    })
    return frame, np.where((age > 45) ^ (RNG.random(rows) < 0.05), "old", "young"), 3 * age + frame["member"] * 10


FRAME, CLASSES, NUMBERS = people()


@pytest.fixture(scope="module")
def classifier():
    return linear().fit(FRAME, CLASSES)


@pytest.fixture(scope="module")
def regressor():
    return linear(TableRegressor).fit(FRAME, NUMBERS)


# Folds are of rows, and a row that is repeated may be in two of them.
BY_FOLDS = dict.fromkeys(["check_sample_weight_equivalence_on_dense_data"], "rows are dealt to folds")


@pytest.mark.slow
@parametrize_with_checks([linear(), linear(TableRegressor)], expected_failed_checks=lambda _: BY_FOLDS)
def test_scikit_learns_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def test_groups_stay_whole_and_the_latest_are_validated_on(tmp_path):
    """What tells a group tells its class: of groups that it has not seen, a model knows nothing."""
    who = np.repeat(np.arange(30), 8)
    frame = pd.DataFrame({"who": who, "mark": [f"m{number}" for number in who], "day": np.arange(240)})
    truth = (who % 2).astype(str)
    marked = frame[["who", "mark"]]
    assert linear(drop=["who"]).fit(marked, truth).validation_["linear"] > 0.95
    model = linear(group="who").fit(marked, truth)
    assert model.validation_["linear"] < 0.7
    assert list(model.feature_names_in_) == ["mark"]
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert (again.predict(frame) == model.predict(frame)).all()
    # A class that turns with time is told on rows by chance, and not on later ones.
    turned = np.where(np.arange(240) < 200, "before", "after")
    assert linear(time="day").fit(frame.assign(x=RNG.normal(size=240)), turned).validation_["linear"] < 0.3
    with pytest.raises(InputError, match="group='who' is the name of a column, and X has no names: give a frame"):
        linear(group="who").fit(marked.assign(mark=1.0).to_numpy(), truth)
    with pytest.raises(InputError, match="X has no column 'hwo': did you mean 'who'"):
        linear(group="hwo").fit(marked, truth)


def test_what_is_known_after_a_fit(classifier, regressor):
    assert classifier.classes_.tolist() == ["old", "young"]
    assert classifier.predict_proba(FRAME).shape == (80, 2)
    assert classifier.score(FRAME, CLASSES) > 0.85
    assert 0.7 < classifier.validation_["linear"] <= 1
    assert classifier.why_ == "linear was asked for"
    assert classifier.stop_reason_.name == "converged"
    assert classifier.describe().startswith("linear, at a penalty of ")
    assert list(classifier.feature_names_in_) == list(classifier.columns_) == list(FRAME)
    assert classifier.columns_["since"].startswith("date: ")
    # The gaps of age cannot be told; what they take away is a ninth of the variance, about.
    assert regressor.score(FRAME, NUMBERS) > 0.8


def test_all_rows_are_learnt_from_as_the_command_does(classifier):
    table = Table(FRAME.assign(y=CLASSES), "X", "")
    fitted = fit_table(table, Settings("y", "linear", hold_out=None))
    assert len(fitted.prepared.training) == len(FRAME)
    ours = fitted.model.predict(fitted.model.encoder.transform(FRAME))
    np.testing.assert_array_equal(classifier.model_.predict(classifier.model_.encoder.transform(FRAME)), ours)


def test_a_network_is_chosen_among():
    x = RNG.uniform(-1, 1, (150, 2))
    model = TableClassifier(random_state=0, epochs=60).fit(x, x[:, 0] * x[:, 1] > 0)
    assert set(model.validation_) == {"linear", "mlp"}
    assert "the perceptron loses less" in model.why_
    assert model.predict(x).dtype == bool
    assert model.score(x, x[:, 0] * x[:, 1] > 0) > 0.9


@pytest.mark.parametrize("labels", [["a", "b"], [7, 3], [True, False], [-1.0, 1.0], ["None", "NA"], ["yes", "Yes"],
                                    ["0001", "1"]])
def test_classes_are_those_that_were_given(labels):
    y = np.array(labels)[(CLASSES == "old").astype(int)]
    model = linear().fit(FRAME, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.classes_.dtype == (object if y.dtype.kind == "U" else y.dtype)
    assert (model.predict(FRAME) == y).mean() > 0.85


@pytest.mark.parametrize("given", ["polars", "arrow", "array", "list"])
def test_tables_of_all_kinds(given, classifier):
    plain = FRAME.assign(since=FRAME["since"].astype("datetime64[us]"))
    if given == "polars":
        polars = pytest.importorskip("polars", reason="needs polars")
        X = polars.from_pandas(plain)
    elif given == "arrow":
        X = pyarrow.Table.from_pandas(plain)
    else:
        X = plain.to_numpy() if given == "array" else plain.to_numpy().tolist()
    model = linear().fit(X, list(CLASSES))
    assert hasattr(model, "feature_names_in_") == (given in ("polars", "arrow"))
    np.testing.assert_allclose(model.predict_proba(X), classifier.predict_proba(FRAME), atol=1e-6)


def test_the_target_may_be_a_column_of_the_table(classifier):
    frame = FRAME.assign(grown=CLASSES)
    some = frame.assign(grown=frame["grown"].where(frame.index > 4))
    np.testing.assert_array_equal(linear().fit(frame, "grown").predict_proba(FRAME), classifier.predict_proba(FRAME))
    assert "5 rows without a target are left out" in linear().fit(some, "grown").notes_
    with pytest.raises(InputError, match="no column 'grwn': did you mean 'grown'"):
        linear().fit(frame, "grwn")


def test_columns_are_found_by_their_names(classifier):
    expected = classifier.predict(FRAME)
    np.testing.assert_array_equal(classifier.predict(FRAME[FRAME.columns[::-1]].assign(other=1)), expected)
    with pytest.raises(InputError, match="lacks the column 'town'"):
        classifier.predict(FRAME.drop(columns="town"))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        classifier.predict(FRAME.to_numpy())
    with pytest.raises(InputError, match="X has 2 features, but TableClassifier is expecting 4"):
        classifier.predict(FRAME.to_numpy()[:, :2])


def test_gaps_and_unknown_levels_are_predicted(classifier):
    strange = FRAME.head(3).assign(town=["Paris", None, "Oslo"], age=[np.nan, 30.0, np.nan])
    assert np.isfinite(classifier.predict_proba(strange)).all()


def test_a_person_says_what_columns_are():
    frame = FRAME.assign(zip=RNG.integers(1000, 1004, 80), useless=-999.0)
    model = linear(column={"zip": "category"}, drop=["town"], missing=[-999.0]).fit(frame, CLASSES)
    assert model.columns_["zip"].startswith("category: a category, as was said")
    assert model.columns_["town"].startswith("ignored")
    with pytest.raises(InputError, match="drop must be a list"):
        linear(drop="town").fit(frame, CLASSES)
    with pytest.raises(InputError, match="say NAME=KIND"):
        linear(column={"zip": "colour"}).fit(frame, CLASSES)


def test_intervals_hold_as_often_as_is_said(regressor):
    low, high = regressor.predict_interval(FRAME, 0.9).T
    assert 0.85 <= ((low <= NUMBERS) & (high >= NUMBERS)).mean() <= 1
    inner = np.diff(regressor.predict_interval(FRAME, 0.5))
    assert (inner[:, 0] < high - low).all()


def test_rows_count_as_much_as_is_said():
    """Of two lines in one table, the one whose rows weigh is learnt."""
    x = np.linspace(-1, 1, 60)
    frame, y = pd.DataFrame({"x": np.r_[x, x]}), np.r_[x, -x]
    for heavy in (slice(60), slice(60, None)):
        weights = np.full(120, 1e-3)
        weights[heavy] = 1.0
        slope = np.ptp(linear(TableRegressor).fit(frame, y, weights).predict(frame))
        ahead = linear(TableRegressor).fit(frame, y, weights).predict(pd.DataFrame({"x": [1.0]}))[0]
        assert slope > 1.8
        assert np.sign(ahead) == np.sign(y[heavy][-1])
    only = np.r_[np.ones(60), np.zeros(60)]
    alone = linear(TableRegressor).fit(frame[:60], x).predict(frame)
    np.testing.assert_allclose(linear(TableRegressor).fit(frame, y, only).predict(frame), alone)
    with pytest.raises(InputError, match="must not be negative"):
        linear(TableRegressor).fit(frame, y, -only)


def test_classes_of_one_row_are_set_aside():
    y = np.where(np.arange(80) == 5, "odd", CLASSES)
    model = linear().fit(FRAME, y)
    assert model.classes_.tolist() == ["old", "young"]
    assert any("set aside" in note and "'odd'" in note for note in model.notes_)


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (FRAME, CLASSES[:5], "80 rows, but y has 5 values"),
        (FRAME, [None, *CLASSES[1:]], "y contains NaN, or is missing, in row 1"),
        (FRAME, ["a"] * 80, "one class|1 class"),
        (FRAME, pd.Series(["a", 1] * 40), "labels of several types, int and str"),
        (FRAME["town"], CLASSES, "Expected a 2-dimensional container"),
        (FRAME, RNG.normal(size=80), "Unknown label type"),
        (FRAME[["town"]].assign(town="Rome"), CLASSES, "no column can be learnt from"),
    ],
)
def test_what_cannot_be_learnt_is_refused_on_a_line(X, y, says):
    with pytest.raises(ValueError, match=says):
        linear().fit(X, y)


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (FRAME.head(0), "X has 0 rows: give one at least to predict"),
        (FRAME[[]], "the table lacks the columns 'age'"),
    ],
)
def test_a_table_of_nothing_is_refused_on_a_line(classifier, X, says):
    with pytest.raises(ValueError, match=says):
        classifier.predict(X)


def test_settings_that_mean_nothing_are_refused():
    for settings in ({"model": "forest"}, {"seconds": -1}, {"optimizer": "magic"}):
        with pytest.raises(InputError):
            TableClassifier(**settings).fit(FRAME, CLASSES)


def test_it_is_one_of_scikit_learns(regressor):
    assert clone(regressor).get_params() == regressor.get_params()
    assert cross_val_score(linear(TableRegressor), FRAME, NUMBERS, cv=3).mean() > 0.6
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(regressor)).predict(FRAME), regressor.predict(FRAME))


def test_nothing_is_printed_or_written(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    linear().fit(FRAME, CLASSES)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["class", "number"])
def test_the_model_of_a_run_is_loaded(target, tmp_path):
    frame = FRAME.assign(y=CLASSES if target == "class" else NUMBERS)
    fitted = fit_table(Table(frame, "t", ""), Settings("y", "linear"))
    write_arrays(tmp_path / MODEL_FILE, *reversed(fitted.model.to_parts()))
    model = load_model(tmp_path)
    assert type(model) is (TableClassifier if target == "class" else TableRegressor)
    values = fitted.model.predict(fitted.model.encoder.transform(FRAME))
    if target == "class":
        np.testing.assert_allclose(model.predict_proba(FRAME), values, rtol=1e-15)
        assert set(model.predict(FRAME)) == {"old", "young"}
    else:
        np.testing.assert_array_equal(model.predict(FRAME), values)
    assert model.score(FRAME, frame["y"]) > 0.75
    assert model.describe() == fitted.model.describe()


@pytest.mark.processes
def test_to_import_descend_imports_nothing_for_it():
    script = "import sys, descend; print('sklearn' in sys.modules or 'descend.tasks' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
