"""Numbers as people write them: the marks and the unit of a column are decided by all of its values, and hold for all.

A mark that could be of thousands or of decimals in one value ("1,234") is told by the others ("12,5"). Where none of
them tells, both readings are returned.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

T = TypeVar("T")

# By what each is called: the mark between thousands, and that before decimals. Simpler ones first.
NUMBER_FORMS: dict[str, tuple[str, str]] = {
    "1234.5": ("", "."), "1,234.5": (",", "."), "1234,5": ("", ","), "1.234,5": (".", ","), "1 234.5": (" ", "."),
    "1 234,5": (" ", ","), "1'234.5": ("'", "."), "1'234,5": ("'", ","),
}  # fmt: skip
# Of durations and times of day, which become seconds.
CLOCK_FORMS = ("h:mm:ss", "h:mm", "m:ss", "1h 30min")
# A column is one of numbers if so many of its rows are; the others are gaps.
NEARLY_ALL = 0.95
# So many values that may be of thousands, and none that may not, beside small whole ones, are of thousands.
_GROUPED = 5

_CODES = "EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|BRL|CAD|AUD|NZD|MXN|ZAR|SGD|HKD|KRW|TRY|ILS"
_CURRENCY = rf"(?:[A-Z]{{0,2}}\$|[€£¥₹₽₩฿₺₫₴₪]|{_CODES}|Rs\.?|Fr\.)"
MULTIPLES = {"k": 1e3, "K": 1e3, "M": 1e6, "mn": 1e6, "Mio": 1e6, "B": 1e9, "bn": 1e9, "Mrd": 1e9}
# Units that may stand right behind a number. Of other words there must be a space between, as "5a" names something.
_UNITS = re.compile(
    "[%‰°]|°[CF]|k?g|mg|lbs?|oz|[cmk]?m|ft|mi|k?m²|sqft|m?l|kWh?|[GMk]?Hz|[kMGT]B|px|s|ms|min|h|km/h|mph"
)
_NUMBER = re.compile(
    rf"(?P<open>\()?\s?(?P<sign>[-+])?\s?(?P<before>{_CURRENCY})?\s?(?P<inner>[-+])?"
    r"(?P<body>\d(?:[\d.,']|\s(?=\d))*|[.,]\d+|(?i:inf(?:inity)?))(?P<power>[eE][-+]?\d+)?(?P<space>\s)?"
    rf"(?P<behind>{_CURRENCY}|[^\d\s()+.,'-][^\d()+]*?)?\s?(?P<minus>-)?(?P<close>\))?"
)
# Of such there are many, and the pattern above takes its time.
_BARE = re.compile(r"-?[0-9][0-9.,]*")
_CLOCK = re.compile(r"-?\d{1,4}(?::[0-5]\d){1,2}(?:\.\d+)?")
_SPANS = r"\d\s*(?:d|h|m|s)"
# The patterns of forms tell 0 from other digits, and no more: many numbers have few shapes.
_SHAPE = str.maketrans("23456789", "11111111")
_SPACES = re.compile(r"\s+")
_SIGNS = str.maketrans({"’": "'", "−": "-", "–": "-"})
_WORDS = re.compile(r"[^\W\d_][\w/²³%. ]{0,20}")
_LONGEST = 60


class Parts(NamedTuple):
    """What a value is made of: its sign, its digits with their marks, a power of ten, a factor, and its unit."""

    sign: float
    body: str
    power: str
    times: float
    unit: str


@dataclass(frozen=True)
class Written:
    """How a column's numbers are written.

    - `form`: one of `NUMBER_FORMS` or `CLOCK_FORMS`. `unit`: what stands beside the numbers, if something does.
    - `other`: another form, that reads as many to other numbers. `evident`: whether marks show which form it is.
    """

    form: str
    unit: str = ""
    other: str = ""
    evident: bool = False


def how_written(counts: Mapping[str, int], least: float = NEARLY_ALL) -> Written | None:
    """How the numbers of a column are written, from its values and in how many rows each is; None, if they are none.

    `least`: the share of the rows that must read as numbers.
    """
    enough = least * sum(counts.values())
    parts = _read_by(parts_of, counts, enough)
    if not parts:
        return _clock(counts, enough)
    unit = _common_unit(parts, counts, enough)
    if unit is None:
        return _clock(counts, enough)
    some = {text: found for text, found in parts.items() if found.unit in ("", unit)}
    # Each form reads digits without marks.
    bare = sum(counts[text] for text, found in some.items() if found.body.isdigit())
    marked: Counter[str] = Counter()
    for text, found in some.items():
        if not found.body.isdigit():
            marked[found.body.translate(_SHAPE)] += counts[text]
    rows = {form: bare + sum(marked[body] for body in _read_by(pattern.fullmatch, marked, enough - bare))
            for form, pattern in _PATTERNS.items()}  # fmt: skip
    most = max(rows.values())
    if most < enough:
        return None
    form, other = _chosen([form for form in NUMBER_FORMS if rows[form] == most], list(some.values()))
    return Written(form, unit, other, evident=not other and any(map(_marked, some.values())))


def units_of(counts: Mapping[str, int]) -> list[str]:
    """The units of what would be numbers, if they were in one."""
    parts = _read_by(parts_of, counts, NEARLY_ALL * sum(counts.values()))
    return sorted({found.unit for found in parts.values() if found.unit})


def numbers_in(texts: pd.Series, form: str, units: Collection[str] = ()) -> pd.Series:
    """The numbers that texts stand for, as float64; what is none, or has a unit that is none of these, is missing."""
    if form == "1h 30min":
        return pd.to_timedelta(texts.where(texts.str.contains(_SPANS, na=False)), errors="coerce").dt.total_seconds()
    read = _seconds if form in CLOCK_FORMS else lambda text, form: _read(text, form, units)
    return pd.Series([np.nan if text is None else read(text, form) for text in texts], texts.index, dtype="float64")


def parts_of(text: str) -> Parts | None:
    """What a text is made of, if it is a number in some form.

    >>> parts_of("($1,200.50)")
    Parts(sign=-1.0, body='1,200.50', power='', times=1.0, unit='$')
    """
    if _BARE.fullmatch(text) and len(text) <= _LONGEST:
        return Parts(-1.0 if text[0] == "-" else 1.0, text.lstrip("-"), "", 1.0, "")
    plain = text if text.isascii() else text.translate(_SIGNS)
    found = _NUMBER.fullmatch(_SPACES.sub(" ", plain).strip()) if len(text) <= _LONGEST else None
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    before, behind = found["before"] or "", (found["behind"] or "").strip()
    minuses = (found["sign"] == "-") + (found["inner"] == "-") + bool(found["minus"]) + bool(found["open"])
    is_unit = not behind or behind in MULTIPLES or _is_unit(behind)
    if minuses > 1 or (not is_unit and not (found["space"] and _WORDS.fullmatch(behind))):
        return None
    times, unit = MULTIPLES.get(behind, 1.0), "" if behind in MULTIPLES else behind
    # "$5 USD" is one unit that is told twice.
    return Parts(-1.0 if minuses else 1.0, found["body"], found["power"] or "", times, before or unit)


@lru_cache(1 << 10)
def _is_unit(word: str) -> bool:
    return _UNITS.fullmatch(word) is not None or re.fullmatch(_CURRENCY, word) is not None


def _common_unit(parts: Mapping[str, Parts], counts: Mapping[str, int], enough: float) -> str | None:
    """The unit that all numbers are in, "" if there is none; None where they are in several, or few have a word."""
    rows: Counter[str] = Counter()
    for text, found in parts.items():
        rows[found.unit] += counts[text]
    units = [unit for unit in rows if unit]
    # "10A" beside "11B" are names: what multiplies and has no unit is beside none.
    is_multiplied = any(found.times != 1 and not found.unit for found in parts.values())
    if len(units) > 1 or (units and is_multiplied):
        return None
    unit = "".join(units)
    # A word beside a few of the numbers says something else of those.
    return unit if not unit or _is_unit(unit) or rows[unit] >= enough else None


def _pattern(group: str, point: str) -> re.Pattern[str]:
    # India groups by two, 12,34,567.
    many = r"\d{2,3}" if group == "," else r"\d{3}"
    group, point = re.escape(group), re.escape(point)
    whole = rf"(?:[1-9]\d{{0,2}}(?:{group}{many})*{group}\d{{3}}|\d+)" if group else r"\d+"
    return re.compile(rf"{whole}(?:{point}\d*)?|{point}\d+|(?i:inf(?:inity)?)")


_PATTERNS = {form: _pattern(*marks) for form, marks in NUMBER_FORMS.items()}


def _value(parts: Parts, form: str) -> float | None:
    if not _PATTERNS[form].fullmatch(parts.body):
        return None
    group, point = NUMBER_FORMS[form]
    bare = parts.body.replace(group, "") if group else parts.body
    return parts.sign * float(bare.replace(point, ".") + parts.power) * parts.times


def _read(text: str, form: str, units: Collection[str]) -> float:
    parts = parts_of(text)
    value = None if parts is None or (parts.unit and parts.unit not in units) else _value(parts, form)
    return np.nan if value is None else value


def _marked(parts: Parts) -> bool:
    return "." in parts.body or "," in parts.body


def _chosen(best: list[str], parts: list[Parts]) -> tuple[str, str]:
    """Of the forms that read as many: which one, and another that makes other numbers of them."""
    form = best[0]
    marked = [found for found in parts if _marked(found)]
    other = next((one for one in best[1:] if any(_value(found, one) != _value(found, form) for found in marked)), "")
    whole = [found.body for found in parts if not _marked(found)]
    # "1.234" beside "87" is hardly a measurement to three decimals, of which none ends with a zero.
    if form == "1234.5" and other and whole and len(marked) >= _GROUPED and max(map(len, whole)) <= 3:
        return other, form
    return form, other


def _clock(counts: Mapping[str, int], enough: float) -> Written | None:
    """Durations and times of day: "1:23:45", "23:45", "1h 30m", "90 min" beside "2 h"."""
    if clocks := _read_by(_CLOCK.fullmatch, counts, enough):
        with_hours = any(text.count(":") == 2 for text in clocks)
        return Written("h:mm:ss") if with_hours else Written("h:mm", other="m:ss")
    if not (spans := _read_by(re.compile(_SPANS).search, counts, enough)):
        return None
    texts = pd.Series(list(spans), dtype=object)
    read = numbers_in(texts, "1h 30min").notna()
    return Written("1h 30min") if sum(counts[text] for text in texts[read]) >= enough else None


def _read_by(read: Callable[[str], T | None], counts: Mapping[str, int], enough: float) -> dict[str, T]:
    """What a reader makes of those texts that it can read; nothing, once these cannot be enough of the rows."""
    found, left = {}, sum(counts.values())
    for text, rows in counts.items():
        made = read(text)
        if made is not None:
            found[text] = made
        elif (left := left - rows) < enough:
            return {}
    return found


def _seconds(text: str, form: str) -> float:
    if not _CLOCK.fullmatch(text):
        return np.nan
    seconds = 0.0
    for part in text.lstrip("-").split(":"):
        seconds = 60 * seconds + float(part)
    return (-1 if text.startswith("-") else 1) * seconds * (60 if form == "h:mm" else 1)
