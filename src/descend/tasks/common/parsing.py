"""Values as people write them, read into one dtype a column; what does not fit becomes missing.

A column has far fewer distinct values than rows, so text is read once a level and spread by its codes.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
import pandas as pd
from pandas.api import types

from descend.tasks.common.numerals import numbers_in

MISSING = frozenset(("", "na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "none", "?", "-", "."))
# Of these, words that may be meant: no deck, Namibia.
MAY_BE_MEANT = frozenset(("na", "none"))
# Of sheets, where a formula had no value.
SHEET_ERRORS = frozenset(("#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!"))

USUAL_UNITS = ("$", "€", "£", "%")

TRUE_AND_FALSE = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))

# Such a number of texts rules most formats out.
_FEW = 50
_LIKE_A_DATE = r"(?:[A-Za-z]{3,9},? )?\d.*\d"
WEEKS = "%G-W%V"
COMPACT = "%Y%m%d"
_DAYS = ("%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y",
         "%Y.%m.%d")
# Month first before day first: a column is read day first as soon as one of its days is above 12.
DATE_FORMATS = (
    "ISO8601",
    *(day + clock for day in _DAYS for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")),
    COMPACT,
    WEEKS,
    "%G-W%V-%u",
    "%a, %d %b %Y %H:%M:%S %z",
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


def as_text(series: pd.Series, kept: Collection[str] = ()) -> pd.Series:
    """Values as stripped text, `None` where missing; 3.0 reads "3", as it did before a gap made it a float.

    `kept`: words, in small letters, that would count as missing, and do not here.
    """
    return _by_level(series, lambda levels: levels, kept)


def as_numbers(series: pd.Series, form: str = "1,234.5", units: Collection[str] = USUAL_UNITS) -> pd.Series:
    """Values as float64: numbers, durations in seconds, and text in a form of `numerals`, such as "1,234" or "$3.50".

    `units`: what may stand beside a number.
    """
    if types.is_timedelta64_dtype(series.dtype):
        return series.dt.total_seconds()
    if is_numeric(series):
        # Some NaNs signal, and would warn.
        with np.errstate(invalid="ignore"):
            return pd.Series(series.to_numpy("float64", na_value=np.nan), index=series.index)
    return _by_level(series, lambda levels: numbers_in(levels, form, units)).astype("float64")


def as_booleans(series: pd.Series) -> pd.Series:
    """Values as 0.0 and 1.0; numbers pass as they are, so that a 2 met later is still a number."""
    if is_numeric(series):
        return as_numbers(series)
    words = {word: float(truth) for yes, no in TRUE_AND_FALSE for word, truth in ((yes, True), (no, False))}
    numbers = {"0": 0.0, "1": 1.0}
    return _by_level(series, lambda levels: levels.str.lower().map(words | numbers)).astype("float64")


def as_dates(series: pd.Series, form: str) -> pd.Series:
    """Values as dates without a time zone (UTC where they had one), text read by the format `form`."""
    dates = series if types.is_datetime64_any_dtype(series.dtype) else _dates(as_text(series), form)
    if isinstance(dates.dtype, pd.DatetimeTZDtype):
        dates = dates.dt.tz_convert("UTC").dt.tz_localize(None)
    return dates.astype("datetime64[us]")


def date_format(levels: pd.Series) -> str | None:
    """The first of the common formats that reads every one of these texts, or `None`."""
    # There is no date without a digit.
    if not levels.head(_FEW).str.contains(r"\d").all():
        return None
    return next((form for form in DATE_FORMATS if are_dates(levels, form)), None)


def forms_of_dates(counts: Mapping[str, int]) -> dict[str, int]:
    """The formats that together read every one of these texts that reads as a date, the one of most rows first; and how
    many rows each of them reads beside those before it.

    `counts`: in how many rows each text is.

    >>> forms_of_dates({"2024-05-01": 3, "31.12.2024": 1, "soon": 1})
    {'ISO8601': 3, '%d.%m.%Y': 1}
    """
    levels, rows = pd.Series(list(counts), dtype=object), np.array(list(counts.values()))
    # Most columns of words are told by their first.
    few = levels.head(_FEW)
    if not few.str.match(_LIKE_A_DATE).mean() > 0.5:
        return {}
    read = {form: _dates(levels, form).notna().to_numpy() for form in DATE_FORMATS if _dates(few, form).notna().any()}
    forms: dict[str, int] = {}
    left = np.ones(len(levels), bool)
    while read:
        form = max(read, key=lambda one: int(rows[read[one] & left].sum()))
        count = int(rows[read[form] & left].sum())
        if not count:
            break
        forms[form], left = count, left & ~read.pop(form)
    return forms


def are_dates(levels: pd.Series, form: str) -> bool:
    """Whether a format reads every one of these texts."""
    # A few texts rule a format out long before a whole column is read.
    return all(bool(_dates(some, form).notna().all()) for some in (levels.head(_FEW), levels))


def day_first(form: str) -> str:
    """The format with month and day exchanged.

    >>> day_first("%m/%d/%Y")
    '%d/%m/%Y'
    """
    return form.translate(str.maketrans("dm", "md"))


def first_row(mask: pd.Series) -> int:
    """The number of the first true row, as a person counts them: from 1, without the header."""
    return int(np.argmax(mask.to_numpy())) + 1


def without(series: pd.Series, gaps: Collection[str]) -> pd.Series:
    """Values without those that count as missing: words or numbers, as text."""
    if not gaps:
        return series
    found = as_text(series, MISSING).isin(list(gaps))
    return series.mask(found) if found.any() else series


def _by_level(
    series: pd.Series, read: Callable[[pd.Series], pd.Series], kept: Collection[str] = ()
) -> pd.Series:
    """Reads every distinct value as text once, and spreads what came out over the rows."""
    codes, levels = pd.factorize(series)
    missing = (MISSING | SHEET_ERRORS).difference(kept)
    texts = [_text(level) for level in levels]
    known = pd.Series([None if text.lower() in missing else text for text in texts], dtype=object)
    parsed = read(known).astype(object)
    # Code -1: missing.
    spread = np.append(parsed.where(parsed.notna(), None).to_numpy(), [None])[codes]
    return pd.Series(spread, index=series.index, dtype=object, name=series.name)


def _text(level: object) -> str:
    if isinstance(level, float | np.floating) and float(level).is_integer():
        return str(int(level))
    return str(level).strip()


def _dates(texts: pd.Series, form: str) -> pd.Series:
    if form == WEEKS:
        # A week is its Monday.
        texts, form = texts + "-1", "%G-W%V-%u"
    return pd.to_datetime(texts, format=form, errors="coerce", utc=True)
