"""Values as people write them, read into one dtype a column; what does not fit becomes missing.

A column has far fewer distinct values than rows, so text is read once a level and spread by its codes.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from pandas.api import types

MISSING = frozenset(("", "na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "none", "?", "-", "."))

TRUE_AND_FALSE = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))

# Month first before day first: a column is read day first as soon as one of its days is above 12.
DATE_FORMATS = (
    "ISO8601",
    *(
        day + clock
        for day in ["%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y"]
        for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
    ),
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %Y",
    "%B %Y",
)


def is_numeric(series: pd.Series) -> bool:
    """Whether these are numbers, decimals, truth values or durations: no text needs to be read."""
    dtype = series.dtype
    if types.is_object_dtype(dtype):
        return types.infer_dtype(series, skipna=True) == "decimal"
    return types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype) or types.is_timedelta64_dtype(dtype)


def as_text(series: pd.Series) -> pd.Series:
    """Values as stripped text, `None` where missing; 3.0 reads "3", as it did before a gap made it a float."""
    return _by_level(series, lambda levels: levels)


def as_numbers(series: pd.Series) -> pd.Series:
    """Values as float64: numbers, durations in seconds, and text such as "1,234", " 5 " or "$3.50"."""
    if types.is_timedelta64_dtype(series.dtype):
        return series.dt.total_seconds()
    if is_numeric(series):
        # Some NaNs signal, and would warn.
        with np.errstate(invalid="ignore"):
            return pd.Series(series.to_numpy("float64", na_value=np.nan), index=series.index)
    return _by_level(series, _numbers_of_levels).astype("float64")


def as_booleans(series: pd.Series) -> pd.Series:
    """Values as 0.0 and 1.0; numbers pass as they are, so that a 2 met later is still a number."""
    if is_numeric(series):
        return as_numbers(series)
    words = {word: float(truth) for yes, no in TRUE_AND_FALSE for word, truth in ((yes, True), (no, False))}
    numbers = {"0": 0.0, "1": 1.0}
    return _by_level(series, lambda levels: levels.str.lower().map(words | numbers)).astype("float64")


def as_dates(series: pd.Series, form: str) -> pd.Series:
    """Values as dates without a time zone (UTC where they had one), text read by the format `form`."""
    dates = series if types.is_datetime64_any_dtype(series.dtype) else _dates_of_text(series, form)
    if isinstance(dates.dtype, pd.DatetimeTZDtype):
        dates = dates.dt.tz_convert("UTC").dt.tz_localize(None)
    return dates.astype("datetime64[us]")


def date_format(levels: pd.Series) -> str | None:
    """The first of the common formats that reads every one of these texts, or `None`."""
    for form in DATE_FORMATS:
        # A few texts rule a format out long before a whole column is read.
        if _all_dates(levels.head(50), form) and _all_dates(levels, form):
            return form
    return None


def first_row(mask: pd.Series) -> int:
    """The number of the first true row, as a person counts them: from 1, without the header."""
    return int(np.argmax(mask.to_numpy())) + 1


def _by_level(series: pd.Series, read: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """Reads every distinct value as text once, and spreads what came out over the rows."""
    codes, levels = pd.factorize(series)
    texts = [_text(level) for level in levels]
    known = pd.Series([None if text.lower() in MISSING else text for text in texts], dtype=object)
    parsed = read(known).astype(object)
    # Code -1: missing.
    spread = np.append(parsed.where(parsed.notna(), None).to_numpy(), [None])[codes]
    return pd.Series(spread, index=series.index, dtype=object, name=series.name)


def _text(level: object) -> str:
    if isinstance(level, float | np.floating) and float(level).is_integer():
        return str(int(level))
    return str(level).strip()


def _numbers_of_levels(levels: pd.Series) -> pd.Series:
    bare = levels.str.replace(r"^[$€£]\s*|\s*%$", "", regex=True)
    grouped = bare.str.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?").fillna(False).astype(bool)
    return pd.to_numeric(bare.where(~grouped, bare.str.replace(",", "")), errors="coerce")


def _dates_of_text(series: pd.Series, form: str) -> pd.Series:
    texts = as_text(series)
    return pd.to_datetime(texts, format=form, errors="coerce", utc=True)


def _all_dates(levels: pd.Series, form: str) -> bool:
    return bool(pd.to_datetime(levels, format=form, errors="coerce", utc=True).notna().all())
