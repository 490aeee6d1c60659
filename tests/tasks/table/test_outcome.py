"""What came of a training: its score, the plainest guess's, and which columns it hangs on."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, r2_score

from descend.errors import InputError
from descend.tasks.common.examples import Scale
from descend.tasks.common.fitted import judge, score_of
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.table import importance
from descend.tasks.table.importance import importances
from descend.tasks.table.task import table_task

REGRESSION = Target("regression", (), "")
CLASSES = Target("multiclass", ("a", "b", "c"), "")
RNG = np.random.default_rng(0)


def fitted(**target):
    # Drawn anew: what is learnt must not hang on which tests came before.
    noise, signal = np.random.default_rng(0).normal(size=(2, 120))
    frame = pd.DataFrame({"noise": noise, "signal": signal, "kind": list("uvw") * 40})
    ((name, make),) = target.items()
    frame[name] = make(frame)
    task = table_task(Table(frame, "t", "0"), Settings(name, "linear", epochs=200))
    return task, task.train(task.prepare())


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
    for (_, run), dummy in ((numbers, DummyRegressor()), (classes, DummyClassifier())):
        training, held_out, scale = run.prepared.training, run.prepared.held_out, run.prepared.scale
        dummy.fit(training.inputs, training.targets * np.asarray(scale.unit, training.targets.dtype))
        truth = held_out.targets
        expected = dummy.score(held_out.inputs, truth - np.asarray(scale.centre, truth.dtype))
        assert judge(run).baseline == pytest.approx(expected, abs=1e-5)


def test_the_columns_that_matter_weigh_most(numbers, classes):
    for task, run in (numbers, classes):
        result = task.judge(run)
        assert result.score > 0.9 > result.baseline
        assert next(iter(result.importances)) == "signal"
        assert abs(result.importances["noise"].fall) < 0.1 < result.importances["signal"].fall
        assert 0 < 4 * result.importances["signal"].error < result.importances["signal"].fall
        assert result.importances.keys() == {"noise", "signal", "kind"}


def test_weights_are_the_same_for_the_same_seed(numbers):
    assert importances(numbers[1], 3) == importances(numbers[1], 3)


def test_many_columns_are_weighed_on_fewer_rows(classes, monkeypatch):
    monkeypatch.setattr(importance, "VALUES_TO_PREDICT", 0)
    monkeypatch.setattr(importance, "MIN_ROWS", 10)
    assert importances(classes[1], 0).keys() == {"noise", "signal", "kind"}
    monkeypatch.setattr(importance, "MIN_COLUMNS", 1)
    assert importances(classes[1], 0).keys() == {"signal"}, "what goes most with the predictions"


def test_predictions_that_are_not_finite_are_refused(numbers):
    _, run = numbers
    model = dataclasses.replace(run.model, scale=Scale(unit=float("inf")))
    broken = dataclasses.replace(run, model=model)
    with pytest.raises(InputError, match=r"not finite \(.*: choose a smaller learning rate"):
        judge(broken)


def test_metrics_are_json(numbers):
    task, run = numbers
    diverged = dataclasses.replace(run, validation={"linear": float("nan")})
    facts = task.metrics(diverged, task.judge(run))
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["validation"] == {"linear": None}
    assert (facts["target"], facts["model"], facts["rows"], facts["held_out"]) == ("t", "linear", 120, 24)
