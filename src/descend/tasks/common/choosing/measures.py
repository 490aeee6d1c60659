"""What models of tables are chosen by: a measure that is to be small, as the mean of what each row adds to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from descend.errors import InputError
from descend.tasks.common.choosing.scoring import LEAST_CHANCE, losses_by_row, weighted
from descend.tasks.common.settings import Metric, Settings
from descend.tasks.common.target import Target

# Of several models' predictions, what each row adds to the measure of each.
Losses = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
# Of one model's predictions, with the targets, and how much each row counts.
OfRows = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _log_loss(chances: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weighted(-np.log(np.maximum(chances[np.arange(len(truth)), truth], LEAST_CHANCE)), weights)


def _errors(chances: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weighted((chances.argmax(axis=1) != truth).astype(np.float64), weights)


def _unbalanced_errors(chances: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Each class's share of errors counts as much as another's."""
    of_class = np.bincount(truth, weights)
    share = weights / of_class[truth] / np.count_nonzero(of_class)
    return len(truth) * share * (chances.argmax(axis=1) != truth)


def _brier(chances: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    squares = ((chances - (truth[:, None] == np.arange(chances.shape[1]))) ** 2).sum(axis=1)
    return weighted(squares / (2 if chances.shape[1] == 2 else 1), weights)


def _beyond_auc(chances: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of more than two classes, the mean of each against all others."""
    classes = range(1, 2) if chances.shape[1] == 2 else range(chances.shape[1])
    told_of = [one for one in classes if 0 < np.count_nonzero(truth == one) < len(truth)]
    return np.mean([_beyond_area(chances[:, one], truth == one, weights) for one in told_of], axis=0)


def _beyond_area(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What each row adds to 1 − AUC, such that the spread of these tells the area's own.

    A row's placement is the share of the other side's rows that it is on the right side of. The area is the mean of
    the placements of either side.

    Reference: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44, 1988.
    """
    placements = np.empty(len(scores))
    placements[positive] = _share_below(scores[positive], scores[~positive], weights[~positive])
    placements[~positive] = _share_below(-scores[~positive], -scores[positive], weights[positive])
    area = np.average(placements[positive], weights=weights[positive])
    side = np.where(positive, weights[positive].sum(), weights[~positive].sum())
    return 1 - area + len(scores) * weights / side * (area - placements)


def _share_below(values: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which share of others each value is above, by weight; of an equal one, half counts."""
    order = np.argsort(others, kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(weights[order])])
    below, until = (mass[np.searchsorted(others[order], values, side)] for side in ("left", "right"))
    return (below + until) / (2 * mass[-1])


def _squares(numbers: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weighted((numbers - truth) ** 2, weights)


def _distances(numbers: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weighted(np.abs(numbers - truth), weights)


@dataclass(frozen=True)
class Measure:
    """One that a person may ask for: what it is of, `what` sentences call it, and what each row adds to it."""

    for_classes: bool
    what: str
    of_rows: OfRows


MEASURES: dict[Metric, Measure] = {
    "log-loss": Measure(True, "log-loss", _log_loss),
    "accuracy": Measure(True, "the share of wrong classes", _errors),
    "balanced-accuracy": Measure(True, "the mean of the classes' shares of errors", _unbalanced_errors),
    "auc": Measure(True, "1 − AUC", _beyond_auc),
    "brier": Measure(True, "the Brier score", _brier),
    "rmse": Measure(False, "the mean square of errors", _squares),
    "mae": Measure(False, "the mean absolute error", _distances),
}


def losses_for(settings: Settings, truth: np.ndarray, target: Target, weights: np.ndarray | None = None) -> Losses:
    """What models are compared by: what was asked for; else the log-loss, or the squared error with few outliers.

    `truth`, `weights`: of the rows that are validated on.
    """
    if settings.metric is None:
        return partial(losses_by_row, targets=truth, kind=target.kind, weights=weights)
    measure = MEASURES[settings.metric]
    every = np.ones(len(truth)) if weights is None else weights.astype(np.float64)

    def of_each(predictions: np.ndarray) -> np.ndarray:
        if not np.isfinite(predictions).all():
            return np.full(len(truth), np.nan)
        return measure.of_rows(predictions.astype(np.float64), truth, every)

    return lambda predictions: list(map(of_each, predictions))


def refuse_other_metric(settings: Settings, target: Target) -> None:
    """Refuse a metric that is none of such a target.

    **Raises** `InputError`.
    """
    if settings.metric is None or MEASURES[settings.metric].for_classes == bool(target.classes):
        return
    fitting = [name for name, measure in MEASURES.items() if measure.for_classes == bool(target.classes)]
    what = "classes" if target.classes else "numbers"
    raise InputError(f"--metric {settings.metric}: the target is {what}: choose one of {', '.join(fitting)}")
