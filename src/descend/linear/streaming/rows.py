"""Dask's arrays and dataframes as rows in partitions: a chunk or a partition of them is one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from descend._blocks.shards import computed, is_dask
from descend.errors import InputError, reading
from descend.linear.problems.matrix import Array
from descend.linear.streaming.source import Each, RowSource

# Of a block.
BLOCK_ROWS = 2**16
# The name of the targets' column, beside those of the features.
TARGET_COLUMN = "descend: y"


@dataclass(frozen=True)
class RowsPartition:
    """Features and targets of some rows, or what computes them; iterated, blocks of them as numbers.

    `y`: None, where it is the last column of X.
    """

    number: int
    X: Any
    y: Any = None

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        X = computed(self.X)
        X, y = (X.iloc[:, :-1], X.iloc[:, -1]) if self.y is None else (X, computed(self.y))
        if len(X) != len(y):
            raise InputError(f"partition {self.number} has {len(X)} rows in X and {len(y)} in y: divide both alike")
        if pd.isna(y).any():
            raise InputError(f"partition {self.number} of y has missing values: leave those rows out")
        for start in range(0, len(y), BLOCK_ROWS):
            yield self._numbers(X[start : start + BLOCK_ROWS]), np.asarray(y[start : start + BLOCK_ROWS])

    def _numbers(self, rows: Any) -> Array:
        with reading(f"partition {self.number} of X is no table of numbers"):
            numbers = np.array(rows, np.float64, order="C")
        if not np.isfinite(numbers).all():
            raise InputError(f"partition {self.number} of X has values that are missing or not finite: fill them in, "
                             "or leave those rows out")
        return numbers


def source_of_rows(X: Any, y: Any, each: Each) -> RowSource:
    """The rows of collections: features that are numbers, in a dataframe or an array of two axes, and their targets."""
    if not is_dask(y):
        raise InputError("X is a Dask collection, and y is none: divide it as X, with dask.array.from_array(y, chunks)")
    for name, given, axes in (("X", X, 2), ("y", y, 1)):
        if getattr(given, "ndim", None) != axes:
            must = "an array of two axes, or a dataframe" if name == "X" else "an array of one axis, or a series"
            raise InputError(f"{name} is a {type(given).__name__} of Dask: it must be {must}")
    refuse_words(X)
    return RowSource("X", "y", X.shape[1], _partitions(X, y), each, _names(X))


def _partitions(X: Any, y: Any) -> list[RowsPartition]:
    if hasattr(X, "columns") and hasattr(y, "to_frame"):
        # As one dataframe: two may be divided otherwise where they are read.
        with reading("X and y are not divided alike"):
            whole = X.assign(**{TARGET_COLUMN: y})
        return [RowsPartition(number, part) for number, part in enumerate(whole.to_delayed())]
    rows, targets = _chunks(X), _chunks(y)
    if len(rows) != len(targets):
        raise InputError(f"X has {len(rows)} partitions and y has {len(targets)}: divide both alike")
    return [RowsPartition(number, *both) for number, both in enumerate(zip(rows, targets, strict=True))]


def _chunks(given: Any) -> list[Any]:
    """What computes each of them; a chunk of an array gets all columns."""
    whole = given.rechunk({1: -1}) if hasattr(given, "rechunk") and given.ndim == 2 else given
    # As they were divided, also by readers that would read small partitions together.
    return list(np.ravel(whole.to_delayed(optimize_graph=False)))


def refuse_words(X: Any) -> None:
    """Raises `InputError` for a dataframe that has columns of anything but numbers."""
    strange = [name for name, kind in getattr(X, "dtypes", {}).items() if getattr(kind, "kind", "O") not in "biuf"]
    if strange:
        raise InputError(f"column {strange[0]!r} of X holds no numbers: have categories hashed, with Blocks(X, "
                         "target), or make numbers of them")


def _names(X: Any) -> Array | None:
    """Of the columns of a dataframe, if all are words."""
    names = list(getattr(X, "columns", []))
    return np.array(names, object) if names and all(isinstance(name, str) for name in names) else None
