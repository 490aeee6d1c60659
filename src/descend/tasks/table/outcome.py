"""What came of a training: scores on the rows that were held out, and which columns they hang on."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from descend.errors import InputError
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Task
from descend.tasks.table.linear.model import Linear
from descend.tasks.table.preparing import Prepared
from descend.tasks.table.training import Fitted, Model

SHUFFLES = 3
LEAST_ROWS, MOST_ROWS = 50, 2000  # to tell which columns matter
MOST_VALUES = 2**28  # to feed to the model for that; thousands of columns get by with fewer rows


@dataclass(frozen=True)
class Outcome:
    """The score on held-out rows, beside that of the plainest guess; and by how much it falls without each column.

    `metric`: "accuracy" or "R²". `baseline`: the most frequent class, or the mean, of the training rows. `weights`: per
    column, how much the score falls when its values are shuffled among the held-out rows, largest first. `truth` and
    `predictions`: of the held-out rows, as `score_of` takes them.
    """

    metric: str
    score: float
    baseline: float
    weights: dict[str, float]
    truth: np.ndarray
    predictions: np.ndarray


def judge(fitted: Fitted, seed: int) -> Outcome:
    """Score a trained model on the rows that were held out.

    **Raises** `InputError` if the training went so far astray that predictions are not finite.
    """
    prepared, model = fitted.prepared, fitted.model
    truth = prepared.task.encode(prepared.held_out_target)
    predictions = model.predict(prepared.held_out_rows)
    if not np.isfinite(predictions).all():
        raise InputError(f"the model's predictions are not finite ({fitted.reason}): choose a smaller learning rate")
    with threadpool_limits(1, user_api="blas"):  # see `training.train`
        weights = _weights(model, prepared.held_out_rows, truth, seed)
    return Outcome(
        metric="R²" if prepared.task.kind == "regression" else "accuracy",
        score=score_of(predictions, truth, prepared.task),
        baseline=score_of(_plainest(prepared, len(truth)), truth, prepared.task),
        weights=weights,
        truth=truth,
        predictions=predictions,
    )


def metrics(fitted: Fitted, outcome: Outcome, settings: Settings) -> dict[str, Any]:
    """The outcome for `metrics.json`; a number that is not finite, which JSON has no word for, is `None`."""
    chosen, prepared = fitted.chosen, fitted.prepared
    scores = {candidate.predictor.architecture: candidate.score for candidate in fitted.candidates}
    return {
        "task": prepared.task.kind,
        "target": settings.target,
        "model": chosen.predictor.architecture,
        "why": fitted.why,
        "optimizer": chosen.how,
        "metric": outcome.metric,
        "score": outcome.score,
        "baseline": outcome.baseline,
        "reason": fitted.reason.name,
        "evidence": fitted.reason.evidence,
        "steps": chosen.reason.step,
        "seconds": fitted.seconds,
        "rows": len(prepared.rows) + len(prepared.held_out_rows),
        "held_out": len(prepared.held_out_rows),
        "dropped": prepared.dropped,
        "features": prepared.rows.shape[1],
        "validation": {name: _finite(score) for name, score in scores.items()},
        **({"linear": _certified(fitted.linear)} if fitted.linear else {}),
    }


def _certified(linear: Linear) -> dict[str, Any]:
    """The certificate, and what it is for."""
    certificate = linear.certificate
    return {
        "penalty": linear.path.penalty,
        "reason": certificate.reason.name,
        "evidence": certificate.reason.evidence,
        "objective": _finite(certificate.value),
        "duality_gap": _finite(certificate.gap),
        "relative_gap": _finite(certificate.relative),
        "iterations": certificate.reason.step,
        "solver": certificate.solver,
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def score_of(predictions: np.ndarray, truth: np.ndarray, task: Task) -> float:
    """Accuracy of class probabilities, or R² of numbers."""
    from sklearn.metrics import r2_score  # a second to import

    if task.kind != "regression":
        return float(np.mean(predictions.argmax(axis=1) == truth))
    return float(r2_score(truth.astype(np.float64), predictions))


def _plainest(prepared: Prepared, rows: int) -> np.ndarray:
    """The prediction that looks at no column."""
    if prepared.task.kind == "regression":
        return np.full(rows, prepared.scale.centre)
    counts = np.bincount(prepared.targets, minlength=len(prepared.task.classes))
    return np.tile(counts, (rows, 1))


def _weights(model: Model, rows: np.ndarray, truth: np.ndarray, seed: int) -> dict[str, float]:
    """Permutation importance by column: all of a column's features are shuffled together."""
    rng = np.random.default_rng(seed)
    columns = np.array(model.encoder.feature_columns)
    names = pd.unique(columns)
    enough = min(max(MOST_VALUES // (SHUFFLES * len(names) * len(columns)), LEAST_ROWS), MOST_ROWS)
    chosen = rng.permutation(len(rows))[:enough]
    rows, truth = rows[chosen], truth[chosen]
    orders = [[rng.permutation(len(rows)) for _ in range(SHUFFLES)] for _ in names]

    def score_without(name: str, order: np.ndarray) -> float:
        shuffled, mine = rows.copy(), columns == name
        shuffled[:, mine] = rows[order][:, mine]
        return score_of(model.predict(shuffled), truth, model.task)

    score = score_of(model.predict(rows), truth, model.task)
    with ThreadPoolExecutor() as pool:  # to predict, NumPy lets go of the interpreter's lock
        scores = pool.map(lambda name, some: np.mean([score_without(name, one) for one in some]), names, orders)
        falls = {str(name): score - float(mean) for name, mean in zip(names, scores, strict=True)}
    return dict(sorted(falls.items(), key=lambda item: -item[1]))
