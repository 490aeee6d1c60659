"""The scores that people compare models by. They are scikit-learn's, but for the error of calibration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from descend.tasks.common.fitted import Outcome
from descend.tasks.common.target import Target

# What sentences and reports call them.
TITLES = {
    "log_loss": "log-loss",
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "mae": "MAE",
    "rmse": "RMSE",
}
# Classes whose recall is told in a line.
NAMED = 8
# Of probabilities, as in the paper.
BINS = 15


@dataclass(frozen=True)
class ClassScore:
    """Of a class: how many examples there are, which share of them was found (recall), and which share of those taken
    for it are of it (precision); the latter is not a number where none was."""

    name: str
    count: int
    recall: float
    precision: float


def prediction_scores(
    truth: np.ndarray, predictions: np.ndarray, target: Target, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Scores by name; not a number, what the examples do not tell.

    Of numbers: the mean absolute error, and the root of the mean square. Of classes:

    - `log_loss`: mean of −log p of the true class.
    - `auc`: the probability that an example of a class is given more of it than one of another class; of more than two
      classes, their mean, each against all others.
    - `balanced_accuracy`: the mean of the classes' recalls.
    - `brier`: mean of (p − 1)² of two classes' second one, or of the sum of such squares over more classes.
    - `calibration_error`: by how much the probability of the predicted class differs from the share of hits, over 15
      bins.

    **Arguments**: `truth`, numbers or the numbers of classes; `predictions`, numbers or a probability for each class;
    `weights`, how much each example counts, by default all the same.

    >>> scores = prediction_scores(np.array([1.0, 2.0]), np.array([1.0, 4.0]), Target("regression", (), ""))
    >>> scores["mae"], round(scores["rmse"], 3)
    (1.0, 1.414)

    Reference: Guo et al. (2017), "On calibration of modern neural networks", for the calibration error.
    """
    # scikit-learn takes a second to import.
    from sklearn import metrics

    if target.kind == "regression":
        of = {"y_true": truth.astype(np.float64), "y_pred": predictions, "sample_weight": weights}
        return {"mae": float(metrics.mean_absolute_error(**of)), "rmse": float(metrics.root_mean_squared_error(**of))}
    chances = as_probabilities(predictions)
    present = np.unique(truth)
    predicted = chances.argmax(axis=1)
    recalls = [_mean(predicted[truth == one] == one, _of(weights, truth == one)) for one in present]
    is_true = truth[:, None] == np.arange(chances.shape[1])
    squares = ((chances - is_true) ** 2).sum(axis=1) / (2 if target.kind == "binary" else 1)
    return {
        "log_loss": float(metrics.log_loss(truth, chances, labels=range(chances.shape[1]), sample_weight=weights)),
        "auc": _auc(truth, chances, weights),
        "balanced_accuracy": float(np.mean(recalls)),
        "brier": _mean(squares, weights),
        "calibration_error": calibration_error(chances.max(axis=1), predicted == truth, weights),
    }


def as_probabilities(predictions: np.ndarray) -> np.ndarray:
    """Probabilities in double precision, which sum to 1 as near as that allows."""
    chances = predictions.astype(np.float64)
    return chances / chances.sum(axis=1, keepdims=True)


def scores_by_class(
    truth: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...], weights: np.ndarray | None = None
) -> list[ClassScore]:
    """Recall and precision of each class, in the order of their numbers."""
    # scikit-learn takes a second to import.
    from sklearn.metrics import precision_recall_fscore_support

    precisions, recalls, _, _ = precision_recall_fscore_support(
        truth, predicted, labels=range(len(classes)), sample_weight=weights, zero_division=np.nan
    )
    counts = np.bincount(truth, minlength=len(classes))
    of_each = zip(classes, counts.tolist(), recalls.tolist(), precisions.tolist(), strict=True)
    return [ClassScore(*fields) for fields in of_each]


def calibration_error(confidence: np.ndarray, hits: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The mean over the examples of |share of hits − mean confidence| in the bin, of 15, that their confidence is in.

    >>> round(calibration_error(np.array([0.9, 0.9]), np.array([True, False])), 3)
    0.4
    """
    every = np.ones(len(hits)) if weights is None else weights
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    beyond = np.bincount(bins, every * (confidence - hits), BINS)
    return float(np.abs(beyond).sum() / every.sum())


def scores_line(scores: Mapping[str, float | None]) -> str:
    """The scores in a line, without those that nothing is known of.

    >>> scores_line({"log_loss": 0.25, "auc": None})
    'log-loss 0.2500'
    """
    return ", ".join(f"{TITLES[name]} {_in_words(value)}" for name, value in scores.items() if value is not None)


def facts_of(outcome: Outcome, target: Target) -> dict[str, Any]:
    """The scores for `metrics.json`; of classes, recall and precision of each, too."""
    weights = outcome.weights
    facts: dict[str, Any] = {"scores": _finite(prediction_scores(outcome.truth, outcome.predictions, target, weights))}
    if target.classes:
        found = scores_by_class(outcome.truth, outcome.predicted, target.classes, weights)
        facts["recall"] = _finite({one.name: one.recall for one in found})
        facts["precision"] = _finite({one.name: one.precision for one in found})
    return facts


def lines_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The same as lines of what a command says at its end, by name; of many classes, without those of each.

    >>> lines_of({"scores": {"mae": 0.5, "rmse": 1.0}})
    {'besides': 'MAE 0.5000, RMSE 1.0000'}
    """
    by_class = {name: facts[name] for name in ("recall", "precision") if 0 < len(facts.get(name, ())) <= NAMED}
    return {"besides": scores_line(facts["scores"])} | {name: _of_each(shares) for name, shares in by_class.items()}


def finite(number: float) -> float | None:
    """A number for JSON, which has no word for what is not finite."""
    return number if math.isfinite(number) else None


def _finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite(score) for name, score in scores.items()}


def _of_each(shares: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {'–' if share is None else f'{share:.3f}'}" for name, share in shares.items())


def _in_words(value: float) -> str:
    return f"{value:.4f}" if 1e-3 < value < 1e3 else f"{value:,.4g}" if value < 1e6 else f"{value:.4g}"


def _auc(truth: np.ndarray, chances: np.ndarray, weights: np.ndarray | None) -> float:
    from sklearn.metrics import roc_auc_score

    numbers = range(1, 2) if chances.shape[1] == 2 else range(chances.shape[1])
    told_of = [number for number in numbers if 0 < np.sum(truth == number) < len(truth)]
    areas = [roc_auc_score(truth == number, chances[:, number], sample_weight=weights) for number in told_of]
    return float(np.mean(areas)) if areas else math.nan


def _of(weights: np.ndarray | None, some: np.ndarray) -> np.ndarray | None:
    return None if weights is None else weights[some]


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(values, weights=weights))
