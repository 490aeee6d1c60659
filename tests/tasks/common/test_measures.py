"""What models are compared by where somebody asks: against scikit-learn's metrics, and the spread of an area."""

import numpy as np
import pytest
from sklearn import metrics

from descend.errors import InputError
from descend.tasks.common.choosing.measures import MEASURES, losses_for, refuse_other_metric
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target

RNG = np.random.default_rng(0)
ROWS = 300
NUMBERS, TWO, THREE = (Target(kind, names, "") for kind, names in (
    ("regression", ()), ("binary", ("a", "b")), ("multiclass", ("a", "b", "c"))))
WEIGHTS = RNG.uniform(0.1, 3, ROWS)


def classes(count):
    truth = RNG.integers(0, count, ROWS)
    # Few different scores, so that many are equal.
    chances = np.round(RNG.dirichlet(np.ones(count), ROWS), 1) + 0.05 + 0.2 * np.eye(count)[truth]
    return truth, chances / chances.sum(axis=1, keepdims=True)


def mean(metric, predictions, truth, target, weights):
    (losses,) = losses_for(Settings("t", metric=metric), truth, target, weights)([predictions])
    assert losses.shape == truth.shape
    return losses.mean()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
@pytest.mark.parametrize("target", [TWO, THREE], ids=lambda target: target.kind)
def test_of_classes_the_mean_is_the_metric(target, weights):
    truth, chances = classes(len(target.classes))
    of = {"sample_weight": weights}
    areas = [metrics.roc_auc_score(truth == one, chances[:, one], **of) for one in range(len(target.classes))]
    predicted, is_true = chances.argmax(axis=1), np.eye(len(target.classes))[truth]
    squares = ((chances - is_true) ** 2).sum(axis=1) / (2 if target is TWO else 1)
    expected = {
        "log-loss": metrics.log_loss(truth, chances, **of),
        "accuracy": 1 - metrics.accuracy_score(truth, predicted, **of),
        "balanced-accuracy": 1 - metrics.balanced_accuracy_score(truth, predicted, **of),
        "auc": 1 - np.mean(areas),
        "brier": np.average(squares, weights=weights),
    }
    for metric, value in expected.items():
        assert mean(metric, chances, truth, target, weights) == pytest.approx(value, rel=1e-6), metric


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
def test_of_numbers_the_mean_is_the_metric(weights):
    truth = RNG.standard_t(2, ROWS)
    said = truth + RNG.standard_t(2, ROWS)
    of = {"sample_weight": weights}
    assert mean("rmse", said, truth, NUMBERS, weights) == pytest.approx(metrics.mean_squared_error(truth, said, **of))
    assert mean("mae", said, truth, NUMBERS, weights) == pytest.approx(metrics.mean_absolute_error(truth, said, **of))


def test_the_spread_of_what_rows_add_is_that_of_the_area():
    """Over many samples, the standard deviation of an area is the error that one sample tells."""
    areas, errors = [], []
    for _ in range(300):
        truth = RNG.permutation(np.repeat([0, 1], [60, 40]))
        score = truth + RNG.normal(size=100)
        chances = np.column_stack([-score, score])
        (losses,) = losses_for(Settings("t", metric="auc"), truth, TWO)([chances])
        areas.append(losses.mean())
        errors.append(losses.std() / 10)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.15)


def test_what_is_not_finite_is_nothing():
    truth, chances = classes(2)
    chances[3] = np.nan
    for metric in ("auc", "accuracy"):
        assert np.isnan(mean(metric, chances, truth, TWO, None))


def test_a_metric_of_another_kind_of_target_is_refused():
    for metric, measure in MEASURES.items():
        for target in (NUMBERS, TWO):
            settings = Settings("t", metric=metric)
            if measure.for_classes == (target is TWO):
                refuse_other_metric(settings, target)
            else:
                with pytest.raises(InputError, match=f"--metric {metric}: the target is .*: choose one of "):
                    refuse_other_metric(settings, target)
    with pytest.raises(InputError, match="there is no metric 'f1': choose one of log-loss, accuracy"):
        Settings("t", metric="f1")
