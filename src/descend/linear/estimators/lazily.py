"""Predictions for Dask's collections: lazily, partition by partition, as collections divided alike."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from descend._blocks.files import Blocks
from descend._blocks.shards import is_dask
from descend.errors import InputError
from descend.linear.streaming.rows import refuse_words

Method = TypeVar("Method", bound=Callable[..., Any])


def by_partition(method: Method) -> Method:
    """A method that predicts from rows; from a Dask collection, or `Blocks` of one, it gives another one.

    Of a dataframe that is a series, or a dataframe with a column for each class, named by the class; of an array an
    array. Nothing is computed yet, and each partition by itself: `predict(frame).to_frame("late").to_parquet(folder)`.
    """

    @wraps(method)
    def asked(model: Any, X: Any, *more: Any, **settings: Any) -> Any:
        given = X.path if isinstance(X, Blocks) else X
        if not is_dask(given):
            return method(model, X, *more, **settings)
        if any(value is not None for value in (*more, *settings.values())):
            raise InputError("offset is given beside a Dask collection: name the column that has it, "
                             "Blocks(frame, offset=…)")
        if hasattr(given, "columns"):
            if not isinstance(X, Blocks):
                refuse_words(X)
            return given.map_partitions(_of_frame, model, method.__name__, X if isinstance(X, Blocks) else None)
        return _of_array(given, model, method.__name__)

    return asked  # type: ignore[return-value]


def _of_frame(frame: Any, model: Any, name: str, blocks: Blocks | None) -> Any:
    """What a model says of the rows of a dataframe, with their index; `blocks`: how they become features, if hashed."""
    # No row has nothing to check either, but what it would be made of.
    rows = frame if len(frame) else frame.reindex(range(1)).fillna(0)
    given = rows if blocks is None else replace(blocks, path=rows)
    found = getattr(model, name)(given)[: len(frame)]
    if found.ndim == 1:
        return pd.Series(found, frame.index, name=name)
    return pd.DataFrame(found, frame.index, columns=[str(label) for label in model.classes_])


def _of_array(X: Any, model: Any, name: str) -> Any:
    """The same of an array, whose rows are divided as before."""
    if X.ndim != 2:
        raise InputError(f"X is an array of {X.ndim} axes: it must have 2, rows and columns")
    whole = X.rechunk({1: -1})
    said = getattr(model, name)(np.zeros((1, X.shape[1])))
    shape = {"drop_axis": 1} if said.ndim == 1 else {"chunks": (whole.chunks[0], (said.shape[1],))}
    return whole.map_blocks(_of_rows, model, name, said, dtype=said.dtype, meta=said[:0], **shape)


def _of_rows(rows: Any, model: Any, name: str, said: Any) -> Any:
    return getattr(model, name)(rows) if len(rows) else said[:0]
