"""What came of a training: its score, the plainest guess's, and which columns it hangs on."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, r2_score

from descend.errors import InputError
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Task
from descend.tasks.table import outcome
from descend.tasks.table.outcome import judge, metrics, score_of
from descend.tasks.table.preparing import Scale
from descend.tasks.table.training import fit_table

REGRESSION = Task("regression", (), "")
CLASSES = Task("multiclass", ("a", "b", "c"), "")
RNG = np.random.default_rng(0)


def fitted(**target):
    frame = pd.DataFrame({"noise": RNG.normal(size=120), "signal": RNG.normal(size=120), "kind": list("uvw") * 40})
    ((name, make),) = target.items()
    frame[name] = make(frame)
    return fit_table(Table(frame, "t", "0"), Settings(name, "linear", epochs=200))


@pytest.fixture(scope="module")
def numbers():
    return fitted(t=lambda frame: 7 + 3 * frame["signal"] + (frame["kind"] == "u"))


@pytest.fixture(scope="module")
def classes():
    return fitted(t=lambda frame: np.where(frame["signal"] > 0.3, "over", "under"))


def test_score_of_classes_is_their_accuracy():
    chances, truth = RNG.random((50, 3)), RNG.integers(0, 3, 50)
    assert score_of(chances, truth, CLASSES) == accuracy_score(truth, chances.argmax(axis=1))


@pytest.mark.parametrize("factor", [1.0, 1e36])
def test_score_of_numbers_is_their_r2(factor):
    truth = RNG.normal(size=50)
    predicted = truth + RNG.normal(size=50)
    score = score_of(factor * predicted, (factor * truth).astype(np.float32), REGRESSION)
    assert score == pytest.approx(r2_score(truth, predicted), rel=1e-5)


def test_the_baseline_looks_at_no_column(numbers, classes):
    for run, dummy in ((numbers, DummyRegressor()), (classes, DummyClassifier())):
        prepared = run.prepared
        dummy.fit(prepared.rows, prepared.targets * np.asarray(prepared.scale.unit, prepared.targets.dtype))
        truth = prepared.task.encode(prepared.held_out_target)
        offset = prepared.scale.centre
        expected = dummy.score(prepared.held_out_rows, truth - np.asarray(offset, truth.dtype))
        assert judge(run, 0).baseline == pytest.approx(expected, abs=1e-5)


def test_the_columns_that_matter_weigh_most(numbers, classes):
    for run in (numbers, classes):
        result = judge(run, 0)
        assert result.score > 0.9 > result.baseline
        assert next(iter(result.weights)) == "signal"
        assert abs(result.weights["noise"]) < 0.1 < result.weights["signal"]
        assert result.weights.keys() == {"noise", "signal", "kind"}


def test_weights_are_the_same_for_the_same_seed(numbers):
    assert judge(numbers, 3).weights == judge(numbers, 3).weights


def test_many_columns_are_weighed_on_fewer_rows(classes, monkeypatch):
    monkeypatch.setattr(outcome, "MOST_VALUES", 0)
    monkeypatch.setattr(outcome, "LEAST_ROWS", 10)
    assert judge(classes, 0).weights.keys() == {"noise", "signal", "kind"}


def test_predictions_that_are_not_finite_are_refused(numbers):
    model = dataclasses.replace(numbers.model, scale=Scale(unit=float("inf")))
    broken = dataclasses.replace(numbers, model=model)
    with pytest.raises(InputError, match=r"not finite \(.*: choose a smaller learning rate"):
        judge(broken, 0)


def test_metrics_are_json(numbers):
    candidates = (numbers.chosen, dataclasses.replace(numbers.chosen, score=float("nan")))
    facts = metrics(dataclasses.replace(numbers, candidates=candidates), judge(numbers, 0), Settings("t"))
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["validation"] == {"linear": None}
    assert (facts["target"], facts["model"], facts["rows"], facts["held_out"]) == ("t", "linear", 120, 24)
