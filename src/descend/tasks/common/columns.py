"""What every column of a table is, decided from its values, with the reason in words."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from pandas.api import types

from descend.errors import InputError
from descend.tasks.common.parsing import TRUE_AND_FALSE, as_numbers, as_text, date_format, first_row, is_numeric

MAX_LEVELS = 40
"""How many categories of one column are told apart; the rest share a feature."""

_NEARLY_ALL = 0.95
_FEW_ROWS = 10
_IDENTIFIER = re.compile(r"|[Rr]ow.*|(?i:id|index|unnamed: 0)|.*[_ .][Ii][Dd]|.*[a-z]I[dD]")


class Kind(StrEnum):
    """How a column is encoded."""

    number = "number"
    boolean = "boolean"
    category = "category"
    date = "date"
    text = "text"
    ignored = "ignored"


@dataclass(frozen=True)
class Column:
    """What a column was taken for.

    - `name`: its name, as text.
    - `kind`: how it is encoded.
    - `reason`: why, for the report.
    - `form`: for dates that were text, the format that read all of them.
    - `gaps`: for numbers that were text, the words that were found among them and count as missing.
    """

    name: str
    kind: Kind
    reason: str
    form: str = "ISO8601"
    gaps: tuple[str, ...] = ()


def describe_columns(frame: pd.DataFrame) -> tuple[Column, ...]:
    """Says of every column what it is, and why.

    Raises `InputError` where two columns share a name, or numbers are infinite.
    """
    refuse_duplicates(frame.columns)
    return tuple(_describe(str(name), frame[name]) for name in frame.columns)


def refuse_duplicates(names: pd.Index) -> None:
    """Raises `InputError` where two columns have the same name: a model could not tell them apart."""
    counts = pd.Index(names.map(str)).value_counts()
    twice = ", ".join(repr(name) for name in counts.index[counts > 1])
    if twice:
        raise InputError(f"the table has more than one column named {twice}: give every column its own name")


def refuse_infinities(name: str, numbers: pd.Series) -> None:
    """Raises `InputError` where a column holds numbers that are infinite as float32, as a model sees them."""
    limit = float(np.finfo(np.float32).max)
    infinite = numbers.abs() > limit
    count = int(infinite.sum())
    if count:
        values = "an infinite value" if count == 1 else f"{count:,} infinite values, the first"
        raise InputError(
            f"column {name!r} has {values} in row {first_row(infinite):,} "
            f"(beyond ±{limit:.1e}): put a finite number there, or leave the cell empty"
        )


def _describe(name: str, series: pd.Series) -> Column:
    if not is_flat(series):
        return Column(name, Kind.ignored, f"holds {_type_names(series)}, not single values")
    is_date = types.is_datetime64_any_dtype(series.dtype)
    values = series if is_date or is_numeric(series) else as_text(series)
    present = values.dropna()
    if present.empty:
        return Column(name, Kind.ignored, "every value is missing")
    if len(present) == len(values) and (present == present.iloc[0]).all():
        return Column(name, Kind.ignored, f"every value is {as_text(present.head(1)).iloc[0]!r}")
    if is_date:
        return Column(name, Kind.date, "dates")
    return _describe_numbers(name, series) if is_numeric(series) else _describe_text(name, series, values)


def is_flat(series: pd.Series) -> bool:
    """Whether every value is a single one: not a list, an array, a dict or bytes."""
    return series.dtype != object or all(
        isinstance(value, Hashable) and not isinstance(value, bytes | tuple) for value in series
    )


def _type_names(series: pd.Series) -> str:
    return "/".join(sorted({type(value).__name__ for value in series.dropna()}))


def _describe_numbers(name: str, series: pd.Series, gaps: tuple[str, ...] = ()) -> Column:
    numbers = as_numbers(series)
    refuse_infinities(name, numbers)
    if types.is_bool_dtype(series.dtype):
        return Column(name, Kind.boolean, "true and false")
    if numbers.dropna().isin((0.0, 1.0)).all() and numbers.nunique() == 2:
        return Column(name, Kind.boolean, "0 and 1")
    if _IDENTIFIER.fullmatch(name.strip()) and numbers.is_unique and (numbers % 1 == 0).all():
        # The name is asked for too: any measurement, such as a year, may differ in every row.
        return Column(name, Kind.ignored, "a different whole number in every row, like an identifier")
    if not gaps:
        return Column(name, Kind.number, "numbers" if is_numeric(series) else "numbers written as text")
    quoted = ", ".join(repr(gap) for gap in gaps[:3]) + (", …" if len(gaps) > 3 else "")
    return Column(name, Kind.number, f"nearly all numbers; {quoted} count as missing", gaps=gaps)


def _describe_text(name: str, series: pd.Series, texts: pd.Series) -> Column:
    levels = pd.Series(texts.dropna().unique())
    if isinstance(series.dtype, pd.CategoricalDtype):
        return Column(name, Kind.category, _count_levels(levels))
    lowered = set(levels.str.lower()) if len(levels) <= 4 else set()
    for pair in TRUE_AND_FALSE:
        if lowered and lowered <= set(pair):
            return Column(name, Kind.boolean, f"{pair[0]} and {pair[1]}")
    # Nearly all: a table of measurements with a few "n.d." is one of numbers to whoever made it.
    numbers = as_numbers(texts)
    unread = texts.notna() & numbers.isna()
    if unread.sum() <= (1 - _NEARLY_ALL) * texts.notna().sum():
        return _describe_numbers(name, texts, tuple(sorted(texts[unread].unique())))
    form = date_format(levels)
    if form is not None:
        return Column(name, Kind.date, f"every value reads as a date ({form})", form=form)
    return _describe_words(name, texts, levels)


def _describe_words(name: str, texts: pd.Series, levels: pd.Series) -> Column:
    rows, count = int(texts.notna().sum()), len(levels)
    # A thousand levels tell how many words they have on average.
    words = float(levels.head(1000).str.count(r"\S+").mean())
    if count == rows >= _FEW_ROWS and words < 1.5:
        return Column(name, Kind.ignored, "a different word in every row, like an identifier")
    if words >= 2.5 and (count > MAX_LEVELS or (count > rows / 2 and rows >= _FEW_ROWS)):
        return Column(name, Kind.text, f"{count:,} different texts of {words:.0f} words")
    return Column(name, Kind.category, _count_levels(levels))


def _count_levels(levels: pd.Series) -> str:
    count = len(levels)
    if count > MAX_LEVELS:
        return f"{count:,} levels, the {MAX_LEVELS} commonest kept"
    return "one level, and gaps" if count == 1 else f"{count} levels"
