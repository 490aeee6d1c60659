"""What came of a training: scores on the rows that were held out, and which columns they hang on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from descend.tables.target import Task
from descend.tables.training import Fitted, Model, Settings

MOST_ROWS = 2000  # enough to tell which columns matter
SHUFFLES = 3


@dataclass(frozen=True)
class Outcome:
    """The score on held-out rows, beside that of the plainest guess; and by how much it falls without each column.

    `metric`: "accuracy" or "R²". `baseline`: the most frequent class, or the mean, of the training rows. `weights`: per
    column, how much the score falls when its values are shuffled among the held-out rows, largest first.
    """

    metric: str
    score: float
    baseline: float
    weights: dict[str, float]


def judge(fitted: Fitted, seed: int) -> Outcome:
    """Score a trained model on the rows that were held out."""
    prepared, model = fitted.prepared, fitted.model
    truth = prepared.task.encode(prepared.held_out_target)
    score = score_of(model.predict(prepared.held_out_rows), truth, prepared.task)
    return Outcome(
        metric="R²" if prepared.task.kind == "regression" else "accuracy",
        score=score,
        baseline=score_of(_plainest(fitted, len(truth)), truth, prepared.task),
        weights=_weights(model, prepared.held_out_rows, truth, score, seed),
    )


def metrics(fitted: Fitted, outcome: Outcome, settings: Settings) -> dict[str, Any]:
    """The outcome for `metrics.json`."""
    chosen = fitted.chosen
    return {
        "task": fitted.prepared.task.kind,
        "target": settings.target,
        "model": chosen.shape.architecture,
        "why": fitted.why,
        "optimizer": repr(chosen.result.run.descent.optimizer),
        "metric": outcome.metric,
        "score": outcome.score,
        "baseline": outcome.baseline,
        "reason": chosen.result.reason.name,
        "evidence": chosen.result.reason.evidence,
        "steps": chosen.result.reason.step,
        "seconds": sum(candidate.result.seconds for candidate in fitted.candidates),
        "rows": len(fitted.prepared.rows) + len(fitted.prepared.held_out_rows),
        "held_out": len(fitted.prepared.held_out_rows),
        "dropped": fitted.prepared.dropped,
        "features": chosen.shape.features,
        "validation": {candidate.shape.architecture: candidate.score for candidate in fitted.candidates},
    }


def score_of(predictions: np.ndarray, truth: np.ndarray, task: Task) -> float:
    """Accuracy of class probabilities, or R² of numbers."""
    from sklearn.metrics import accuracy_score, r2_score  # noqa: PLC0415  # a second to import

    if task.kind != "regression":
        return float(accuracy_score(truth, predictions.argmax(axis=1)))
    # R² is not defined for a single row; the score is then that of a perfect or a useless prediction.
    return float(r2_score(truth, predictions)) if len(truth) > 1 else float(np.allclose(truth, predictions))


def _plainest(fitted: Fitted, rows: int) -> np.ndarray:
    """The prediction that looks at no column."""
    prepared = fitted.prepared
    if prepared.task.kind == "regression":
        return np.full(rows, prepared.targets.mean() * prepared.scale.unit + prepared.scale.centre)
    counts = np.bincount(prepared.targets, minlength=len(prepared.task.classes))
    return np.tile(counts, (rows, 1))


def _weights(model: Model, rows: np.ndarray, truth: np.ndarray, score: float, seed: int) -> dict[str, float]:
    """Permutation importance by column: all of a column's features are shuffled together."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(rows))[:MOST_ROWS]
    rows, truth = rows[chosen], truth[chosen]
    columns = np.array(model.encoder.feature_columns)
    if len(chosen) == MOST_ROWS:
        score = score_of(model.predict(rows), truth, model.task)
    falls = {}
    for column in pd.unique(columns):
        mine = columns == column
        scores = []
        for _ in range(SHUFFLES):
            shuffled = rows.copy()
            shuffled[:, mine] = rows[rng.permutation(len(rows))][:, mine]
            scores.append(score_of(model.predict(shuffled), truth, model.task))
        falls[str(column)] = score - float(np.mean(scores))
    return dict(sorted(falls.items(), key=lambda item: -item[1]))
