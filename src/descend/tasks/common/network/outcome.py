"""What came of a training: the score on the examples that were held out, and the worst mistakes among them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.tasks.common.network.training import Fitted
from descend.tasks.common.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """The accuracy on held-out examples, beside that of the plainest guess, the most frequent class.

    `truth`: the numbers of their classes. `chances`: the probability of each class, for each of them.
    """

    score: float
    baseline: float
    truth: np.ndarray
    chances: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The numbers of the most probable classes."""
        return self.chances.argmax(axis=1)

    def mistakes(self, most: int) -> np.ndarray:
        """Which examples were taken for something else, the surest first."""
        wrong = np.flatnonzero(self.predicted != self.truth)
        return wrong[np.argsort(-self.chances[wrong].max(axis=1), kind="stable")[:most]]


def judge(fitted: Fitted) -> Outcome:
    """Score a network on what it has not seen.

    **Raises** `InputError` if the training went so far astray that its predictions are not finite.
    """
    truth, chances = fitted.prepared.held_out.targets, fitted.model.predict(fitted.prepared.held_out.inputs)
    if not np.isfinite(chances).all():
        raise InputError(f"the model's predictions are not finite ({fitted.reason}): choose a smaller learning rate")
    plainest = np.bincount(fitted.prepared.learnt.targets).argmax()
    return Outcome(float(np.mean(chances.argmax(axis=1) == truth)), float(np.mean(truth == plainest)), truth, chances)


def metrics(fitted: Fitted, outcome: Outcome, settings: Settings) -> dict[str, Any]:
    """The outcome for `metrics.json`."""
    network, collection = fitted.model.network, fitted.prepared.collection
    scores = network.validation_scores_
    return {
        "task": collection.kind,
        "target": settings.target,
        "model": network.model,
        "description": fitted.model.describe(),
        "optimizer": repr(network.rule_),
        "metric": "accuracy",
        "score": outcome.score,
        "baseline": outcome.baseline,
        "reason": fitted.reason.name,
        "evidence": fitted.reason.evidence,
        "steps": fitted.reason.step,
        "seconds": network.training_seconds_,
        "rows": len(fitted.prepared.learnt) + len(fitted.prepared.held_out),
        "held_out": len(fitted.prepared.held_out),
        "classes": len(collection.classes),
        "notes": list(collection.notes),
        **({"validation": {network.model: max(scores)}} if scores else {}),
    }
