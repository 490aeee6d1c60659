"""The scores of predictions, held to scikit-learn's, to a loop, and to what weights mean."""

import json
import math

import numpy as np
import pytest
from sklearn import metrics

from descend.tasks.common.fitted import Outcome
from descend.tasks.common.judging.scores import (
    calibration_error,
    facts_of,
    lines_of,
    prediction_scores,
    scores_by_class,
)
from descend.tasks.common.target import Target

RNG = np.random.default_rng(0)
NUMBERS = Target("regression", (), "")
TWO, THREE = Target("binary", ("no", "yes"), ""), Target("multiclass", ("a", "b", "c"), "")


def drawn(target, rows=80):
    if not target.classes:
        truth = RNG.normal(size=rows)
        return truth, truth + RNG.normal(size=rows)
    scores = RNG.normal(size=(rows, len(target.classes)))
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    # Mostly as likely as is said, so that scores are in the middle of what they may be.
    return np.array([RNG.choice(len(chance), p=chance) for chance in chances]).astype(np.int32), chances


def test_those_of_numbers_are_scikit_learns():
    truth, predicted = drawn(NUMBERS)
    assert prediction_scores(truth, predicted, NUMBERS) == {
        "mae": pytest.approx(np.abs(truth - predicted).mean()),
        "rmse": pytest.approx(math.sqrt(((truth - predicted) ** 2).mean())),
    }


@pytest.mark.parametrize("target", [TWO, THREE], ids=lambda target: target.kind)
def test_those_of_classes_are_scikit_learns(target):
    truth, chances = drawn(target)
    found = prediction_scores(truth, chances.astype(np.float32), target)
    many = {} if target is TWO else {"multi_class": "ovr"}
    # scikit-learn halves the square of two classes, as the score of the second class alone has it.
    expected = {
        "log_loss": metrics.log_loss(truth, chances),
        "auc": metrics.roc_auc_score(truth, chances[:, 1] if target is TWO else chances, **many),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, chances.argmax(axis=1)),
        "brier": metrics.brier_score_loss(truth, chances[:, 1] if target is TWO else chances,
                                          **({} if target is TWO else {"scale_by_half": False})),
        "calibration_error": by_hand(chances.max(axis=1), chances.argmax(axis=1) == truth),
    }
    assert found == {name: pytest.approx(value, rel=1e-5) for name, value in expected.items()}


def by_hand(confidence, hits):
    """The calibration error, bin by bin."""
    total = 0.0
    for low in np.arange(15) / 15:
        mine = (confidence >= low) & (confidence < low + 1 / 15)
        if mine.any():
            total += mine.mean() * abs(hits[mine].mean() - confidence[mine].mean())
    return total


def test_a_sure_probability_is_in_the_last_bin():
    assert calibration_error(np.array([1.0, 1.0]), np.array([True, False])) == 0.5


@pytest.mark.parametrize("target", [NUMBERS, TWO, THREE], ids=lambda target: target.kind)
def test_an_example_of_weight_two_counts_as_two(target):
    truth, predictions = drawn(target)
    weights = RNG.integers(1, 4, len(truth)).astype(np.float64)
    rows = np.repeat(np.arange(len(truth)), weights.astype(int))
    weighted = prediction_scores(truth, predictions, target, weights)
    repeated = prediction_scores(truth[rows], predictions[rows], target)
    assert weighted == {name: pytest.approx(value) for name, value in repeated.items()}
    if target.classes:
        predicted = predictions.argmax(axis=1)
        for one, other in zip(scores_by_class(truth, predicted, target.classes, weights),
                              scores_by_class(truth[rows], predicted[rows], target.classes), strict=True):
            assert (one.recall, one.precision) == pytest.approx((other.recall, other.precision))


def test_each_class_has_its_recall_and_precision():
    truth, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    found = scores_by_class(truth, predicted, ("a", "b", "c"))
    assert [(one.name, one.count) for one in found] == [("a", 3), ("b", 2), ("c", 0)]
    np.testing.assert_allclose([one.recall for one in found], [2 / 3, 1, np.nan])
    np.testing.assert_allclose([one.precision for one in found], [1, 2 / 3, np.nan])


def test_what_is_not_known_of_a_class_without_examples_is_none_in_json():
    truth, chances = np.array([0, 0, 1, 1]), np.array([[0.6, 0.3, 0.1]] * 2 + [[0.1, 0.7, 0.2]] * 2)
    facts = facts_of(Outcome("accuracy", 1.0, 0.5, truth, chances), THREE)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["recall"] == {"a": 1.0, "b": 1.0, "c": None}
    assert facts["scores"]["auc"] == 1.0
    assert lines_of(facts)["recall"] == "a 1.000, b 1.000, c –"


def test_of_one_class_alone_no_area_is_told():
    facts = facts_of(Outcome("accuracy", 1.0, 1.0, np.zeros(3, int), np.tile([0.9, 0.1], (3, 1))), TWO)
    assert facts["scores"]["auc"] is None
    assert "AUC" not in lines_of(facts)["besides"]


def test_probabilities_of_zero_cost_much_and_not_all():
    sure = prediction_scores(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), TWO)
    assert 10 < sure["log_loss"] < 1000
