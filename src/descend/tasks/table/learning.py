"""The learning curve over rows: what more of them would bring, told by the linear model, which is fitted soon."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from descend.tasks.common.choosing.scoring import row_scores
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted
from descend.tasks.table.linear.model import Linear
from descend.tasks.table.preparing import TablePrepared
from descend.tasks.table.training import without_warnings

# Shares of the rows that are learnt from, each twice the one before; all of them have been learnt from already.
SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
# Of the time of training that it may cost, and rows that a share has at the least.
TIME_SHARE, LEAST_ROWS = 0.1, 30
# Shares without which it is no curve.
FEWEST_POINTS = 3
# How far above its minimum the objective may be, relative to that.
TOLERANCE = 1e-2


@dataclass(frozen=True)
class LearningCurve:
    """Scores on the held-out rows of the linear model, by how many rows it had learnt from, with standard errors.

    `gain`, `gain_error`: what the last doubling brought, compared row by row.
    """

    rows: Sequence[int]
    scores: Sequence[float]
    errors: Sequence[float]
    gain: float
    gain_error: float


def learning_curve(fitted: Fitted[TablePrepared]) -> LearningCurve | None:
    """The curve, as far as a tenth of the time of training goes; `None` where that is not far, or where no linear model
    was solved. Its penalty is that of the model that learnt from all rows."""
    linear = next((each.predictor for each in fitted.trained if isinstance(each.predictor, Linear)), None)
    if linear is None:
        return None
    training, classes = fitted.prepared.training, len(fitted.prepared.target.classes)
    deadline = time.perf_counter() + TIME_SHARE * fitted.seconds
    # Each share is of the same rows and more, so that what differs is how many they are.
    order = np.random.default_rng(0).permutation(len(training))
    counts = [count for count in (round(share * len(training)) for share in SHARES) if count >= LEAST_ROWS]
    found: dict[int, np.ndarray] = {}
    with threadpool_limits(1, user_api="blas"), without_warnings():
        for count in counts:
            begun = time.perf_counter()
            some = training.chosen(order[:count])
            # So few rows that a class is not among them tell of no curve.
            if len(np.unique(some.targets)) < classes:
                continue
            found[count] = _scores(_fitted_to(some, linear), fitted.prepared)
            # Twice the rows take twice as long, or a little more.
            now = time.perf_counter()
            if now + 3 * (now - begun) > deadline:
                break
    # What more rows would bring is told by the last doubling: for half of them there must have been time.
    if len(found) + 1 < FEWEST_POINTS or counts[-1] not in found:
        return None
    found[len(training)] = _scores(linear, fitted.prepared)
    last, before = found[len(training)], found[counts[-1]]
    error = lambda values: float(values.std() / np.sqrt(len(values)))
    means = [float(each.mean()) for each in found.values()]
    return LearningCurve(list(found), means, list(map(error, found.values())), means[-1] - means[-2],
                         error(last - before))


def _fitted_to(some: Examples, linear: Linear) -> Linear:
    # Numba takes a second to import.
    from descend.linear import LogisticRegression, Ridge

    penalty = linear.path.penalty
    model = (Ridge(alpha=penalty, tol=TOLERANCE) if linear.task == "regression" else
             LogisticRegression(C=1 / penalty, tol=TOLERANCE))
    model.fit(some.inputs, some.targets, some.weights)
    return replace(linear, coefficients=np.atleast_2d(model.coef_).astype(np.float64),
                   intercepts=np.atleast_1d(model.intercept_))


def _scores(linear: Linear, prepared: TablePrepared) -> np.ndarray:
    """What each held-out row adds to the score."""
    held_out, scale = prepared.held_out, prepared.scale
    said = linear.predict(held_out.inputs)
    if linear.task == "regression":
        said = said * scale.unit + scale.centre
    return row_scores(said, held_out.targets, linear.task, held_out.weights)
