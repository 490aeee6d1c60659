"""Which columns a model hangs on, by what its score loses without them."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from descend.tasks.common.choosing.scoring import row_scores
from descend.tasks.common.fitted import Fitted
from descend.tasks.table.preparing import TablePrepared

SHUFFLES = 3
# Rows that are shuffled: they tell which columns matter.
MIN_ROWS, MAX_ROWS = 50, 2000
# What the model is fed for that, in all: thousands of columns get by with fewer rows, and of more not all are weighed.
VALUES_TO_PREDICT = 2**28
MIN_COLUMNS = 50


@dataclass(frozen=True)
class Importance:
    """By how much the score falls without a column, and the standard error of that over the rows it was told from."""

    fall: float
    error: float


def importances(fitted: Fitted[TablePrepared], seed: int) -> dict[str, Importance]:
    """By how much the score falls when a column's values are shuffled among held-out rows, the largest fall first.

    All features that a column was made into are shuffled together. Of more columns than there is time for, those are
    weighed that go most with the predictions.

    Reference: Breiman, "Random forests", Machine Learning 45, 2001, section 10.
    """
    rng, prepared, model = np.random.default_rng(seed), fitted.prepared, fitted.model
    columns = np.array(prepared.encoder.feature_columns)
    names = pd.unique(columns)
    enough = min(max(VALUES_TO_PREDICT // (SHUFFLES * len(names) * len(columns)), MIN_ROWS), MAX_ROWS)
    some = prepared.held_out.chosen(rng.permutation(len(prepared.held_out))[:enough])
    rows = some.inputs
    most = max(VALUES_TO_PREDICT // (SHUFFLES * len(rows) * len(columns)), MIN_COLUMNS)
    if len(names) > most:
        names = _likely(columns, rows, model.predict(rows), most)
    # All orders are drawn before any thread begins, so that they do not hang on how many there are.
    orders = [[rng.permutation(len(rows)) for _ in range(SHUFFLES)] for _ in names]
    # What each row adds to the score: compared row by row, what makes a row hard at all is no part of the error.
    scores = lambda inputs: row_scores(model.predict(inputs), some.targets, prepared.target.kind, some.weights)

    def fall_without(name: str, mine: list[np.ndarray]) -> Importance:
        features, shuffled = np.flatnonzero(columns == name), []
        for order in mine:
            changed = rows.copy()
            changed[:, features] = rows[order][:, features]
            shuffled.append(scores(changed))
        falls = whole - np.mean(shuffled, axis=0)
        return Importance(float(falls.mean()), float(falls.std() / math.sqrt(len(falls))))

    # The products are short: NumPy's own threads would spin on the cores that these need.
    with threadpool_limits(1, user_api="blas"):
        whole = scores(rows)
        # To predict, NumPy lets go of the interpreter's lock.
        with ThreadPoolExecutor() as pool:
            found = dict(zip(map(str, names), pool.map(fall_without, names, orders), strict=True))
    return dict(sorted(found.items(), key=lambda item: -item[1].fall))


def _likely(columns: np.ndarray, rows: np.ndarray, predictions: np.ndarray, most: int) -> np.ndarray:
    """The columns with the features that go most with what is predicted, by their correlation with it."""
    away, told = (each - each.mean(axis=0) for each in (rows, predictions.reshape(len(rows), -1)))
    # What does not vary goes with nothing.
    lengths = np.linalg.norm(away, axis=0)[:, None] * np.linalg.norm(told, axis=0)
    correlations = np.abs(away.T @ told) / np.where(lengths > 0, lengths, np.inf)
    order = np.argsort(-correlations.max(axis=1), kind="stable")
    return pd.unique(columns[order])[:most]
