"""The record of a fit: the models that were trained, which was chosen and why, and how it does on what it never saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from descend.engine.history import History
from descend.errors import InputError
from descend.stopping import Reason
from descend.tasks.common.examples import Prepared
from descend.tasks.common.target import Target

if TYPE_CHECKING:
    from descend.insight.verdict import Verdict

P = TypeVar("P", bound=Prepared)


@runtime_checkable
class Traceable(Protocol):
    """A predictor that can be exported: it says what `predict` computes in the words of JAX."""

    def in_jax(self, rows: Any) -> Any:
        """What `predict` gives, of rows in JAX, whose number is open: `rows.shape[0]`, and not `len(rows)`."""


@runtime_checkable
class Predictor(Protocol):
    """What a training leaves: it predicts, can be said in words, and can be taken apart to be stored."""

    @property
    def kind(self) -> str:
        """What a model's file calls its kind."""

    def predict(self, inputs: Any) -> np.ndarray:
        """A number for each example, in the unit of training, or a probability for each example and class."""

    def describe(self) -> str:
        """What it is, in a few words."""

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name."""


@dataclass(frozen=True)
class Trained:
    """A model that was trained, and how the training went.

    - `name`: of the kind of model.
    - `predictor`: the model.
    - `how`: the optimizer with its settings, or the solver and why it was picked.
    - `reason`: why the training ended. `seconds`: how long it took. `history`: a row for each step.
    - `out_of_fold`: predictions, as `predict` gives them, of the examples that are validated on, each by a model that
      has not learnt from it; `None` where a training is validated by means of its own.
    """

    name: str
    predictor: Predictor
    how: str
    reason: Reason
    seconds: float
    history: History = field(default_factory=History)
    out_of_fold: np.ndarray | None = None


@dataclass(frozen=True)
class Fitted(Generic[P]):
    """A finished fit.

    - `model`: what predicts from what a user has: the chosen predictor, with all that is around it.
    - `chosen`: one of `trained`, and `why` it was chosen, in words.
    - `validation`: the score of each on examples that it had not learnt from, by name.
    - `seconds`: of training, all of them together.
    - `calibration`: what was done to its probabilities, and why; "" where nothing could be.
    - `verdict`: on the descent of the chosen one; `None` where it was solved, or nobody asked.
    """

    prepared: P
    model: Predictor
    chosen: Trained
    trained: tuple[Trained, ...]
    why: str
    validation: Mapping[str, float]
    seconds: float
    verdict: "Verdict | None" = None
    calibration: str = ""

    @property
    def reason(self) -> Reason:
        """Why the training ended: an interruption, whichever model it hit, or else what ended the chosen one's."""
        reasons = (each.reason for each in self.trained)
        return next((reason for reason in reasons if reason.name == "interrupted"), self.chosen.reason)


@dataclass(frozen=True)
class Outcome:
    """The score on held-out examples, beside that of the plainest guess.

    `metric`: "accuracy" or "R²". `baseline`: the score of the most frequent class, or of the mean, of the training
    examples. `truth`, `predictions` and `weights`: of the held-out examples, as `score_of` takes them.
    """

    metric: str
    score: float
    baseline: float
    truth: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray | None = None

    @property
    def predicted(self) -> np.ndarray:
        """The numbers of the most probable classes."""
        return self.predictions.argmax(axis=1)

    def mistakes(self, most: int) -> np.ndarray:
        """Which examples were taken for another class, the surest first."""
        wrong = np.flatnonzero(self.predicted != self.truth)
        return wrong[np.argsort(-self.predictions[wrong].max(axis=1), kind="stable")[:most]]


def judge(fitted: Fitted[Any]) -> Outcome:
    """Score a fit on what was held out.

    **Raises** `InputError` if the training went so far astray that predictions are not finite.
    """
    prepared = fitted.prepared
    held_out, target = prepared.held_out, prepared.target
    truth, weights, predictions = held_out.targets, held_out.weights, fitted.model.predict(held_out.inputs)
    if not np.isfinite(predictions).all():
        raise InputError(f"the model's predictions are not finite ({fitted.reason}): choose a smaller learning rate")
    return Outcome(
        metric=("" if weights is None else "weighted ") + ("R²" if target.kind == "regression" else "accuracy"),
        score=score_of(predictions, truth, target, weights),
        baseline=score_of(_plainest(prepared), truth, target, weights),
        truth=truth,
        predictions=predictions,
        weights=weights,
    )


def score_of(
    predictions: np.ndarray, truth: np.ndarray, target: Target, weights: np.ndarray | None = None
) -> float:
    """Accuracy of class probabilities, or R² of numbers. `weights`: how much each of them counts."""
    # scikit-learn takes a second to import.
    from sklearn.metrics import r2_score

    if target.kind != "regression":
        return float(np.average(predictions.argmax(axis=1) == truth, weights=weights))
    return float(r2_score(truth.astype(np.float64), predictions, sample_weight=weights))


def _plainest(prepared: Prepared) -> np.ndarray:
    """The prediction that looks at nothing: the mean, or the shares of the classes."""
    count = len(prepared.held_out)
    if prepared.target.kind == "regression":
        return np.full(count, prepared.scale.centre)
    training = prepared.training
    shares = np.bincount(training.targets, training.weights, minlength=len(prepared.target.classes))
    return np.tile(shares, (count, 1))
