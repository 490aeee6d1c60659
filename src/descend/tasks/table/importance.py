"""Which columns a model hangs on, by what its score loses without them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from descend.tasks.common.fitted import Fitted, score_of
from descend.tasks.table.preparing import TablePrepared

SHUFFLES = 3
# Rows that are shuffled: they tell which columns matter.
MIN_ROWS, MAX_ROWS = 50, 2000
# What the model is fed for that, in all: thousands of columns get by with fewer rows.
VALUES_TO_PREDICT = 2**28


def importances(fitted: Fitted[TablePrepared], seed: int) -> dict[str, float]:
    """By how much the score falls when a column's values are shuffled among held-out rows, the largest fall first.

    All features that a column was made into are shuffled together.

    Reference: Breiman, "Random forests", Machine Learning 45, 2001, section 10.
    """
    rng, prepared, model = np.random.default_rng(seed), fitted.prepared, fitted.model
    columns = np.array(prepared.encoder.feature_columns)
    names = pd.unique(columns)
    enough = min(max(VALUES_TO_PREDICT // (SHUFFLES * len(names) * len(columns)), MIN_ROWS), MAX_ROWS)
    some = prepared.held_out.chosen(rng.permutation(len(prepared.held_out))[:enough])
    rows, truth, weights = some.inputs, some.targets, some.weights
    # All orders are drawn before any thread begins, so that they do not hang on how many there are.
    orders = [[rng.permutation(len(rows)) for _ in range(SHUFFLES)] for _ in names]

    def score_without(name: str, order: np.ndarray) -> float:
        shuffled, mine = rows.copy(), columns == name
        shuffled[:, mine] = rows[order][:, mine]
        return score_of(model.predict(shuffled), truth, prepared.target, weights)

    # The products are short: NumPy's own threads would spin on the cores that these need.
    with threadpool_limits(1, user_api="blas"):
        score = score_of(model.predict(rows), truth, prepared.target, weights)
        # To predict, NumPy lets go of the interpreter's lock.
        with ThreadPoolExecutor() as pool:
            scores = pool.map(lambda name, some: np.mean([score_without(name, one) for one in some]), names, orders)
            falls = {str(name): score - float(mean) for name, mean in zip(names, scores, strict=True)}
    return dict(sorted(falls.items(), key=lambda item: -item[1]))
