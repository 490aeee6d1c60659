"""The linear model: its penalty chosen by cross-validation, then fitted to all training rows, by `descend.linear`.

Penalties are tried from the strongest on, each fit beginning where the last one ended, until weaker ones do not better
the loss on rows not trained on. The one with the least loss is taken. These fits need two digits. The model that is
kept has more, and begins at the mean of the folds'.

Reference: Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via coordinate
descent".
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from descend.engine.history import History
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.choosing.scoring import losses_and_scores, predictions_of
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Trained
from descend.tasks.common.folded import Folded
from descend.tasks.common.linear.model import Certificate, Linear, PenaltyPath
from descend.tasks.common.linear.progress import ProgressCallback
from descend.tasks.common.target import TargetKind

# How far above its minimum the objective may be, relative to that: of the model, and while penalties are compared.
TOL, ROUGH_TOL = 1e-6, 1e-2
PENALTIES_PER_DECADE, WEAKEST_PENALTY = 2, 1e-4
# Iterations on a fold's rows that take as long as one on all rows.
FINAL_ITERATION = 1.5
# Penalties in succession that do not better the loss, after which the path ends.
PATH_PATIENCE = 2
# Coefficients above which, to two digits, L-BFGS is done sooner than Newton's method.
MANY_COEFFICIENTS = 200

# Of so many numbers, the share that is not 0 up to which passes over a sparse array are sooner done.
MANY_NUMBERS, SPARSE_SHARE = 1_000_000, 0.2

# Coefficients and intercepts; of one output, scikit-learn's intercept is a number.
Parameters = tuple[np.ndarray, np.ndarray | np.floating]


class PenaltySearch(NamedTuple):
    """Which penalties are tried, and how far above its minimum an objective may be, relative to that: of the folds'
    models, while penalties are compared, and of the model that is kept."""

    strongest: float
    weakest: float = WEAKEST_PENALTY
    rough_tol: float = ROUGH_TOL
    tol: float = TOL


def fit_linear(prepared: Folded, context: TrainingContext, search: PenaltySearch | None = None) -> Trained:
    """The certified linear model of rows in folds.

    When Ctrl-C or the end of the time ends it, the penalties that were tried are chosen from, and what is kept is the
    mean of the folds' models, after one more iteration.
    """
    kind, prepared = prepared.target.kind, _compact(prepared)
    # From a penalty that weighs as much as all rows, or more.
    search = search or PenaltySearch(len(prepared.training))
    with ExitStack() as stack:
        for observer in context.observers:
            if isinstance(observer, AbstractContextManager):
                stack.enter_context(observer)
        progress = ProgressCallback(context.observers, context.seconds, context.interrupted)
        # 1. Along the path, time is left for the iteration on all rows that comes after it.
        progress.ahead = FINAL_ITERATION
        path, chosen = _search(prepared, progress, search)
        # 2. The chosen penalty once more, on all rows, and to the last digit.
        progress.ahead = 0.0
        model = _estimator(kind, search.tol, "auto", progress)
        if chosen.start is not None:
            model.coef_, model.intercept_ = chosen.start
        progress.gaps.clear()
        _fit(model, path.penalty, prepared.training)
        linear = Linear(
            kind, np.atleast_2d(model.coef_).astype(np.float64), np.atleast_1d(model.intercept_),
            Certificate(model.stop_reason_, float(model.loss_curve_.min()), float(model.duality_gap_), model.solver_),
            path,
        )
        reason = progress.ended(model.stop_reason_)
    return Trained(
        Linear.kind, linear, model.solver_, reason, progress.seconds, _history(model.loss_curve_, progress.gaps),
        predictions_of(chosen.outputs, kind),
    )


def _compact(prepared: Folded) -> Folded:
    """The same rows, as a sparse array where most numbers of many are 0: levels of categories, above all."""
    rows = prepared.training.inputs
    if issparse(rows) or rows.size < MANY_NUMBERS or np.count_nonzero(rows) > SPARSE_SHARE * rows.size:
        return prepared
    return replace(prepared, training=replace(prepared.training, inputs=csr_array(rows)))


class _Fold:
    """The rows of one fold, and a model that learns from the others."""

    def __init__(self, prepared: Folded, number: int, progress: ProgressCallback, tol: float):
        self._number = number
        self.unseen = prepared.folds == number
        self._prepared = prepared
        self._others = prepared.training.chosen(np.flatnonzero(~self.unseen))
        many = self._others.inputs.shape[1] * prepared.target.outputs > MANY_COEFFICIENTS
        self.model = _estimator(prepared.target.kind, tol, "lbfgs" if many else "auto", progress)

    def fit(self, penalty: float) -> None:
        """Learn from the other folds, unless all of their rows are of one class."""
        if self._prepared.target.kind == "regression" or np.ptp(self._others.targets):
            _fit(self.model, penalty, self._others)

    def outputs(self) -> np.ndarray:
        """Of the fold's own rows: numbers, the logarithm of the odds, or of the probability of each class."""
        rows, target = self._prepared.unseen(self._number), self._prepared.target
        if target.kind == "regression":
            return self.model.predict(rows)[:, None]
        # A class that no row of the other folds has is given the share that half a row would be: a probability of 0
        # would make the loss infinite, whatever the penalty.
        chances = np.full((rows.shape[0], len(target.classes)), -math.log(2 * len(self._others)))
        if hasattr(self.model, "classes_"):
            chances[:, self.model.classes_] = self.model.predict_log_proba(rows)
        else:
            chances[:, self._others.targets[0]] = 0.0
        return chances[:, 1:] - chances[:, :1] if target.kind == "binary" else chances


class _Trial(NamedTuple):
    """What a penalty came to: outputs, loss and score of each row not trained on, and the mean of the folds' models."""

    penalty: float
    outputs: np.ndarray
    losses: np.ndarray
    scores: np.ndarray
    start: Parameters | None


def _search(prepared: Folded, progress: ProgressCallback, search: PenaltySearch) -> tuple[PenaltyPath, _Trial]:
    """The path, and what the penalty that was chosen came to."""
    folds = [_Fold(prepared, number, progress, search.rough_tol) for number in range(prepared.members)]
    validated = prepared.validated
    targets = prepared.training.targets[validated]
    outputs = np.zeros((len(validated), prepared.target.outputs))
    trials: list[_Trial] = []
    for penalty in _penalties(search.strongest, search.weakest):
        for fold in folds:
            fold.fit(penalty)
            outputs[fold.unseen] = fold.outputs()
        of_these = outputs[validated]
        losses, scores = losses_and_scores(of_these, targets, prepared.target.kind, prepared.validated_weights)
        trials.append(_Trial(penalty, of_these, losses, scores, _mean([fold.model for fold in folds])))
        progress.validated(loss=float(losses.mean()), score=float(scores.mean()))
        if progress.asks_for_the_end() or _is_enough([float(trial.losses.mean()) for trial in trials]):
            break
    path = _path([trial.penalty for trial in trials], [trial.losses for trial in trials])
    chosen = trials[path.chosen]
    progress.validated(loss=float(chosen.losses.mean()), score=float(chosen.scores.mean()))
    return path, chosen


def _penalties(strongest: float, weakest: float = WEAKEST_PENALTY) -> Sequence[float]:
    """From one of a power of ten that is as strong, or stronger."""
    begin = math.ceil(math.log10(strongest))
    count = 1 + round(PENALTIES_PER_DECADE * (begin - math.log10(weakest)))
    return [10.0 ** (begin - number / PENALTIES_PER_DECADE) for number in range(count)]


def _is_enough(losses: list[float]) -> bool:
    """Whether the last penalties have not bettered the loss."""
    return len(losses) > PATH_PATIENCE and min(losses[:-PATH_PATIENCE]) <= min(losses[-PATH_PATIENCE:])


def _path(penalties: list[float], losses: list[np.ndarray]) -> PenaltyPath:
    means = [float(loss.mean()) for loss in losses]
    chosen = int(np.argmin(means))
    # The error of the difference to the best, row by row, and not of the loss itself: what makes a row hard at all
    # penalties is no doubt about which is better.
    errors = [float((loss - losses[chosen]).std() / math.sqrt(len(loss))) for loss in losses]
    return PenaltyPath(tuple(penalties), tuple(means), tuple(errors), chosen)


def _mean(models: list[Any]) -> Parameters | None:
    """The mean of the models' coefficients and intercepts; `None` if they do not know the same classes."""
    shapes = {model.coef_.shape if hasattr(model, "coef_") else None for model in models}
    if len(shapes) > 1 or None in shapes:
        return None
    coefficients, intercepts = (
        np.mean([getattr(model, name) for model in models], axis=0) for name in ("coef_", "intercept_")
    )
    return coefficients, intercepts


def _estimator(kind: TargetKind, tol: float, solver: str, progress: ProgressCallback) -> Any:
    # Numba takes a second to import.
    from descend.linear import LogisticRegression, Ridge

    model: Any = Ridge if kind == "regression" else LogisticRegression
    return model(tol=tol, solver=solver, warm_start=True).set_callbacks(progress)


def _fit(model: Any, penalty: float, examples: Examples) -> None:
    """Fit an estimator, whatever it calls the penalty, from where it is."""
    model.set_params(**({"alpha": penalty} if "alpha" in model.get_params() else {"C": 1 / penalty}))
    model.fit(examples.inputs, examples.targets, sample_weight=examples.weights)


def _history(losses: np.ndarray, gaps: list[float]) -> History:
    """A row for the start and for each iteration; at the start, there is no gap yet."""
    known = np.full(len(losses), np.nan)
    known[1:] = gaps[: len(losses) - 1]
    columns = {"step": np.arange(len(losses)), "loss": losses, "duality_gap": known}
    return History.from_arrays({f"step/{name}": column for name, column in columns.items()}, stride=1)
