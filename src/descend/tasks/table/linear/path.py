"""The linear model: its penalty chosen by cross-validation, then fitted to all training rows, by `descend.linear`.

Penalties are tried from the strongest on, each fit beginning where the last one ended, until weaker ones do not better
the loss on rows not trained on. The strongest is taken whose loss is within a standard error of the least, row by row.
These fits need two digits. The model that is kept has more, and begins at the mean of the folds'.

Reference: Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via coordinate
descent"; Breiman et al. (1984), *Classification and regression trees*, section 3.4, for the standard error.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from descend.engine.history import History
from descend.engine.interruption import Interruption, interrupts
from descend.observers import Observer
from descend.tasks.table.candidates import Candidate
from descend.tasks.table.linear.model import Certificate, Linear, Path
from descend.tasks.table.linear.progress import Follower
from descend.tasks.table.preparing import Prepared
from descend.tasks.table.row_scores import judged

TOL = 1e-6  # of the minimum: how far above it the model's objective may be
ROUGH = 1e-2  # the same, while penalties are compared
DECADE, WEAKEST = 2, 1e-4  # penalties in a decade, and the last one
FINAL = 1.5  # iterations on a fold's rows, as long as which one takes on all rows
PATIENCE = 2  # penalties in succession that do not better the loss, after which the path ends
MANY = 200  # coefficients for which, to two digits, L-BFGS is done sooner than Newton's method


def fit_linear(prepared: Prepared, seconds: float | None, observers: Sequence[Observer]) -> Candidate:
    """The certified linear model of a table.

    When Ctrl-C or the end of the time ends it, the penalties that were tried are chosen from, and what is kept is the
    mean of the folds' models, after one more iteration.
    """
    with without_warnings(), interrupts() as interrupted:
        return linear_model(prepared, seconds, observers, interrupted)


@contextmanager
def without_warnings() -> Iterator[None]:
    """A context without warnings of promises that were not kept, as the certificate says so, and of many classes.

    For the main thread, as filters are those of the process: what others warn of, such as a full disk, must be heard.
    """
    from sklearn.exceptions import ConvergenceWarning  # half a second to import

    with warnings.catch_warnings():
        for category in (ConvergenceWarning, RuntimeWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield


def linear_model(
    prepared: Prepared, seconds: float | None, observers: Sequence[Observer], interrupted: Interruption
) -> Candidate:
    """The same on any thread; `interrupted` is set to end it."""
    with ExitStack() as stack:
        for observer in observers:
            if isinstance(observer, AbstractContextManager):
                stack.enter_context(observer)
        follower = Follower(observers, seconds, interrupted)
        follower.ahead = FINAL
        path, chosen = _search(prepared, follower)
        follower.ahead = 0.0
        model = _estimator(prepared.task.kind, TOL, "auto", follower)
        if chosen.start is not None:
            model.coef_, model.intercept_ = chosen.start
        follower.gaps.clear()
        _fit(model, path.penalty, prepared.rows, prepared.targets)
        linear = Linear(
            prepared.task.kind, np.atleast_2d(model.coef_).astype(np.float64), np.atleast_1d(model.intercept_),
            Certificate(model.stop_reason_, float(model.loss_curve_.min()), float(model.duality_gap_), model.solver_),
            path,
        )
        reason = follower.ended(model.stop_reason_)
    return Candidate(
        linear, float(chosen.merits.mean()), chosen.merits, model.solver_, reason,
        _history(model.loss_curve_, follower.gaps), follower.seconds,
    )


class _Fold:
    """The rows of one fold, and a model that learns from the others."""

    def __init__(self, prepared: Prepared, number: int, follower: Follower):
        self.unseen = prepared.folds == number
        self._prepared = prepared
        self._rows, self._targets = prepared.rows[~self.unseen], prepared.targets[~self.unseen]
        many = self._rows.shape[1] * prepared.outputs > MANY
        self.model = _estimator(prepared.task.kind, ROUGH, "lbfgs" if many else "auto", follower)

    def fit(self, penalty: float) -> None:
        """Learn from the other folds, unless all of their rows are of one class."""
        if self._prepared.task.kind == "regression" or np.ptp(self._targets):
            _fit(self.model, penalty, self._rows, self._targets)

    def scores(self) -> np.ndarray:
        """Of the fold's own rows: numbers, the logarithm of the odds, or of the probability of each class."""
        rows, task = self._prepared.rows[self.unseen], self._prepared.task
        if task.kind == "regression":
            return self.model.predict(rows)[:, None]
        # A class that no row of the other folds has is given the share that half a row would be.
        chances = np.full((len(rows), len(task.classes)), -math.log(2 * len(self._targets)))
        if hasattr(self.model, "classes_"):
            chances[:, self.model.classes_] = self.model.predict_log_proba(rows)
        else:
            chances[:, self._targets[0]] = 0.0
        return chances[:, 1:] - chances[:, :1] if task.kind == "binary" else chances


class _Trial(NamedTuple):
    """What a penalty came to: the loss and the merit of each row not trained on, and the mean of the folds' models."""

    penalty: float
    losses: np.ndarray
    merits: np.ndarray
    start: Any


def _search(prepared: Prepared, follower: Follower) -> tuple[Path, _Trial]:
    """The path, and what the penalty that was chosen came to."""
    folds = [_Fold(prepared, number, follower) for number in range(prepared.members)]
    measured = prepared.measured
    targets = prepared.targets[measured]
    scores = np.zeros((len(prepared.rows), prepared.outputs))
    trials: list[_Trial] = []
    for penalty in _penalties(len(prepared.rows)):
        for fold in folds:
            fold.fit(penalty)
            scores[fold.unseen] = fold.scores()
        losses, merits = judged(scores[measured], targets, prepared.task.kind)
        trials.append(_Trial(penalty, losses, merits, _mean([fold.model for fold in folds])))
        follower.validated(loss=float(losses.mean()), score=float(merits.mean()))
        if follower.asks_for_the_end() or _is_enough([float(trial.losses.mean()) for trial in trials]):
            break
    path = _path([trial.penalty for trial in trials], [trial.losses for trial in trials])
    chosen = trials[path.chosen]
    follower.validated(loss=float(chosen.losses.mean()), score=float(chosen.merits.mean()))
    return path, chosen


def _penalties(rows: int) -> Sequence[float]:
    """From one that weighs as much as all rows, or more."""
    strongest, weakest = math.ceil(math.log10(rows)), math.log10(WEAKEST)
    return [10.0 ** (strongest - number / DECADE) for number in range(1 + round(DECADE * (strongest - weakest)))]


def _is_enough(losses: list[float]) -> bool:
    """Whether the last penalties have not bettered the loss."""
    return len(losses) > PATIENCE and min(losses[:-PATIENCE]) <= min(losses[-PATIENCE:])


def _path(penalties: list[float], losses: list[np.ndarray]) -> Path:
    means = [float(loss.mean()) for loss in losses]
    best = losses[int(np.argmin(means))]
    errors = [float((loss - best).std() / math.sqrt(len(best))) for loss in losses]
    chosen = next(
        number for number, (mean, error) in enumerate(zip(means, errors, strict=True)) if mean - error <= min(means)
    )
    return Path(tuple(penalties), tuple(means), tuple(errors), chosen)


def _mean(models: list[Any]) -> Any:
    """The mean of the models' coefficients and intercepts; `None` if they do not know the same classes."""
    shapes = {model.coef_.shape if hasattr(model, "coef_") else None for model in models}
    if len(shapes) > 1 or None in shapes:
        return None
    return tuple(np.mean([getattr(model, name) for model in models], axis=0) for name in ("coef_", "intercept_"))


def _estimator(kind: str, tol: float, solver: str, follower: Follower) -> Any:
    from descend.linear import LogisticRegression, Ridge  # Numba takes a second to import

    model: Any = Ridge if kind == "regression" else LogisticRegression
    return model(tol=tol, solver=solver, warm_start=True).set_callbacks(follower)


def _fit(model: Any, penalty: float, rows: np.ndarray, targets: np.ndarray) -> None:
    """Fit an estimator, whatever it calls the penalty, from where it is."""
    names = model.get_params()
    model.set_params(**({"alpha": penalty} if "alpha" in names else {"C": 1 / penalty})).fit(rows, targets)


def _history(losses: np.ndarray, gaps: list[float]) -> History:
    """A row for the start and for each iteration; at the start, there is no gap yet."""
    known = np.full(len(losses), np.nan)
    known[1:] = gaps[: len(losses) - 1]
    columns = {"step": np.arange(len(losses)), "loss": losses, "duality_gap": known}
    return History.from_arrays({f"step/{name}": column for name, column in columns.items()}, stride=1)
