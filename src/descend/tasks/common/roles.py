"""What columns say of rows: how much each counts, which belong together, when each was."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from descend.errors import InputError
from descend.tasks.common.columns import Column, Kind
from descend.tasks.common.parsing import as_dates, as_text, first_row, is_numeric, without


def roles_of(
    frame: pd.DataFrame, columns: Mapping[str, Column], present: np.ndarray, where: str = ""
) -> dict[str, np.ndarray]:
    """What the rows of a table that are `present` have of each role: "weights", "group" or "time".

    `columns`: what the column of each role was taken for. `where`: begins errors.

    **Raises** `InputError` where a row has none, or what is none.
    """
    named = dict(zip(map(str, frame.columns), frame.columns, strict=True))
    found = {}
    for role, column in columns.items():
        if column.name not in named:
            raise InputError(f"{where}there is no column {column.name!r}, which --{role} names")
        what = f"{where}--{role} {column.name}"
        found[role] = _READERS[role](frame[named[column.name]], column, present, what)
    return found


def _weights(series: pd.Series, column: Column, present: np.ndarray, what: str) -> np.ndarray:
    """At most 1: only how weights compare says something, and so no sum of them can be too large."""
    numbers = _numbers(series, column)
    _refuse(numbers.isna() & present, series, what, "a weight is a number of at least 0, and no cell is empty")
    _refuse(((numbers < 0) | np.isinf(numbers)) & present, series, what, "a weight is at least 0, and finite")
    weights = numbers.to_numpy()[present]
    if not weights.any():
        raise InputError(f"{what}: all weights are 0, and no row counts")
    return weights / weights.max()


def _groups(series: pd.Series, column: Column, present: np.ndarray, what: str) -> np.ndarray:
    """The numbers of the groups, in the order in which they appear."""
    names = column.words(series)
    _refuse(names.isna() & present, series, what, "each row needs a group: fill it in, or leave out the row")
    return pd.factorize(names[present])[0]


def _times(series: pd.Series, column: Column, present: np.ndarray, what: str) -> np.ndarray:
    """Dates or numbers."""
    if column.kind is Kind.date:
        times = as_dates(without(series, column.gaps), column.form)
    else:
        times = _numbers(series, column)
    hint = "a time is a date or a number, and each row needs one; of dates, the form may be said by --column " \
           f"{column.name}=date:FORM"
    _refuse(times.isna() & present, series, what, hint)
    return times.to_numpy()[present]


def _numbers(series: pd.Series, column: Column) -> pd.Series:
    """The numbers in a column; none, where it was taken for something else."""
    if is_numeric(series) or column.kind in (Kind.number, Kind.boolean):
        return column.numbers(series)
    return pd.Series(np.nan, series.index)


def _refuse(bad: pd.Series, series: pd.Series, what: str, wanted: str) -> None:
    if bad.any():
        row = first_row(bad)
        text = as_text(series.iloc[[row - 1]]).iloc[0]
        raise InputError(f"{what} is {'missing' if text is None else repr(text)} in row {row:,}: {wanted}")


_Reader = Callable[[pd.Series, Column, np.ndarray, str], np.ndarray]
_READERS: dict[str, _Reader] = {"weights": _weights, "group": _groups, "time": _times}
