"""A table as it came, into a frame with one dtype for every kind of column; what does not fit is refused."""

from collections.abc import Callable, Hashable, Mapping

import numpy as np
import pandas as pd

from descend.errors import InputError
from descend.tasks.common.columns import UNTOLD, Column, Kind, refuse_duplicates, refuse_infinities
from descend.tasks.common.parsing import as_booleans, as_dates, as_text, first_row, without

MISSING_LEVEL = "(missing)"


def typed_frame(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """The given columns of `frame`: numbers and booleans as float64, dates as datetime64, words as text."""
    refuse_duplicates(frame.columns)
    named = dict(zip(map(str, frame.columns), frame.columns, strict=True))
    plain = _plain_numbers(frame, columns, named)
    others = {column.name: _typed(frame[named[column.name]], column) for column in columns if column.name not in plain}
    typed = pd.concat([plain, pd.DataFrame(others, index=frame.index, copy=False)], axis=1)
    return typed if not others or plain.empty else typed[[column.name for column in columns]]


def _plain_numbers(frame: pd.DataFrame, columns: tuple[Column, ...], named: Mapping[str, Hashable]) -> pd.DataFrame:
    """The columns that are finite numbers as they stand, all at once: pandas takes a millisecond for one alone."""
    floats = {str(name) for name, dtype in frame.dtypes.items() if dtype == np.float64}
    names = [column.name for column in columns
             if column.kind is Kind.number and not column.gaps and column.name in floats]
    plain = frame[[named[name] for name in names]].set_axis(names, axis=1)
    fits = ~(np.abs(plain.to_numpy()) > np.finfo(np.float32).max).any(axis=0)
    return plain if fits.all() else plain.loc[:, fits]


def _typed(series: pd.Series, column: Column) -> pd.Series:
    match column.kind:
        case Kind.category:
            return column.words(series).fillna(MISSING_LEVEL)
        case Kind.text:
            return column.words(series).fillna("")
        case Kind.date:
            return _read(series, column, "dates", lambda values: as_dates(without(values, column.gaps), column.form))
        case Kind.boolean:
            values = _read(series, column, "true and false", lambda values: as_booleans(without(values, column.gaps)))
        case _:
            values = _read(series, column, "numbers", column.numbers)
    refuse_infinities(column.name, values)
    return values


def _read(series: pd.Series, column: Column, wanted: str, read: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Reads a column, and refuses what is there but does not read, except for gaps known from training."""
    values = read(series)
    # What was a gap in training is one still; any other word in a column of numbers is more likely a mistake.
    if not values.hasnans:
        return values
    unread = values.isna() & series.notna()
    if not unread.any():
        return values
    texts = as_text(series)
    unread &= texts.notna() & ~texts.isin(column.gaps)
    if unread.any():
        row = first_row(unread)
        raise InputError(
            f"column {column.name!r} held {wanted} when the model was trained, and {texts.iloc[row - 1]!r} "
            f"in row {row:,} is none: mend that value, or leave the cell empty{_written(column, wanted)}"
        )
    return values


def _written(column: Column, what: str) -> str:
    """In which form a column's values were written: a number or a date in another one is none of them."""
    if column.kind not in (Kind.number, Kind.date) or column.form == UNTOLD:
        return ""
    return f" (its {what} were written as {column.form}{f', in {column.unit}' if column.unit else ''})"
