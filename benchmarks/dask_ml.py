"""Logistic regression of dask-ml beside ours, on the same partitions of the same cluster, to the same objective.

300,000 flights of `flights-3m.parquet`, as 39 numbers of double precision that two workers, of a core each, hold in
memory. Both minimise the sum of the logistic losses and half the squared norm, at the settings that they have where
nobody says; "above the minimum" is how far the objective at the coefficients is above the least one, as a share of it.
The least one is ours at a tolerance of 1e-10. Ours also proves that it is near: its duality gap bounds what
is left, and dask-ml gives no bound. Its default, ADMM, is left out: it had not ended after five minutes.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from benchmarks._linear_data import find
from benchmarks._rows import Row

PACKAGES = ("descend", "dask", "distributed", "dask-ml", "dask-glm", "numpy")
ROWS, PARTITIONS, REPEATS = 300_000, 8, 3
SOLVERS = ("lbfgs", "newton")


def rows() -> Iterator[Row]:
    """Seconds, and how far above the minimum each ends, by their solvers' defaults."""
    import dask.array as da
    from dask.distributed import Client, LocalCluster
    from dask_ml.linear_model import LogisticRegression as Theirs

    from descend.linear import LogisticRegression

    features, late = flights()
    settings: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        chunk = -(-len(late) // PARTITIONS)
        X, y = (da.from_array(array, chunks=(chunk, *array.shape[1:])).persist() for array in (features, late))
        ours = lambda: LogisticRegression(fit_intercept=False).fit(X, y, on=client)
        least = objective(LogisticRegression(fit_intercept=False, tol=1e-10).fit(X, y, on=client).coef_, features, late)
        for solver in SOLVERS:
            theirs = lambda solver=solver: Theirs(fit_intercept=False, solver=solver).fit(X, y)
            seconds, models = zip(*(_fastest(fit) for fit in (ours, theirs)), strict=True)
            title = f"{len(late):,} flights, two workers"
            yield Row(title, f"dask-ml, {solver}", "time", "s", *seconds)
            above = [objective(model.coef_, features, late) / least - 1 for model in models]
            yield Row(title, f"dask-ml, {solver}", "above the minimum", "relative", *above)


def flights() -> tuple[np.ndarray, np.ndarray]:
    """Which flights are late, by their hour, month and weekday, one-hot, their distance, and a constant."""
    table = pd.read_parquet(find("flights-3m.parquet"))
    table = table.iloc[:: len(table) // ROWS]
    date = table["date"].dt
    hot = [pd.get_dummies(numbers, dtype=float) for numbers in (date.hour, date.month, date.day_of_week)]
    distance = StandardScaler().fit_transform(table[["distance"]].to_numpy(float))
    return np.hstack([*hot, distance, np.ones((len(table), 1))]), (table["delay"] > 15).to_numpy(np.int64)


def objective(coefficients: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The sum of the logistic losses, and half the squared norm: what both lower at C = 1."""
    w = np.ravel(coefficients)
    z = X @ w
    return float(np.logaddexp(0, z).sum() - z @ y + w @ w / 2)


def _fastest(fit: Any) -> tuple[float, Any]:
    """The least seconds of a fit, and its model."""
    found = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        model = fit()
        found.append((time.perf_counter() - begin, model))
    return min(found, key=lambda each: each[0])
