"""Which columns a model hangs on, by what its score loses without them."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from descend.tasks.common.fitted import Fitted
from descend.tasks.table.preparing import TablePrepared
from descend.tasks.table.scoring import row_scores

SHUFFLES = 3
# Rows that are shuffled: they tell which columns matter.
MIN_ROWS, MAX_ROWS = 50, 2000
# What the model is fed for that, in all: thousands of columns get by with fewer rows.
VALUES_TO_PREDICT = 2**28


@dataclass(frozen=True)
class Importance:
    """By how much the score falls without a column, and the standard error of that over the rows it was told from."""

    fall: float
    error: float


def importances(fitted: Fitted[TablePrepared], seed: int) -> dict[str, Importance]:
    """By how much the score falls when a column's values are shuffled among held-out rows, the largest fall first.

    All features that a column was made into are shuffled together.

    Reference: Breiman, "Random forests", Machine Learning 45, 2001, section 10.
    """
    rng, prepared, model = np.random.default_rng(seed), fitted.prepared, fitted.model
    columns = np.array(prepared.encoder.feature_columns)
    names = pd.unique(columns)
    enough = min(max(VALUES_TO_PREDICT // (SHUFFLES * len(names) * len(columns)), MIN_ROWS), MAX_ROWS)
    some = prepared.held_out.chosen(rng.permutation(len(prepared.held_out))[:enough])
    rows = some.inputs
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
