"""Columns of text that a machine wrote as numbers or as dates become these; all others stay as they were written."""

from collections.abc import Collection
from typing import Any

import pyarrow
from pyarrow import compute

from descend.tasks.common.parsing import MAY_BE_MEANT, MISSING, SHEET_ERRORS

# As Arrow compares them: in small letters, in capitals, and with a capital.
_NULLS = pyarrow.array(sorted({spelling for word in MISSING | SHEET_ERRORS
                               for spelling in (word, word.upper(), word.title())} | {"NaN", "NaT"}))  # fmt: skip
# Up to 2⁵³, beyond which a float is not exact.
_WHOLE = r"^-?(0|[1-9]\d{0,14})$"
_FRACTION = r"^-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?$"
# "1.234" may be of thousands; these are not.
_DECIMAL = r"^-?0?\.\d|\.\d{0,2}$|\.\d{4,}$|[eE]"
# Of years that nanoseconds reach.
_DAY = r"^(1[7-9]|2[01])\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"[ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_DATES = (_DAY + "$", _DAY + _CLOCK + "$", _DAY + _CLOCK + "Z$")
_BLANK = r"^[\s\pZ]*$"
# So many rows rule out most columns of words.
_FIRST = 100


def typed_cells(
    names: list[str], texts: list[Any], as_written: Collection[str] = (), machine: bool = False
) -> tuple[pyarrow.Table, frozenset[str]]:
    """A table of columns of text, those of plain numbers and dates as such; and the words that stood for gaps among
    the numbers.

    `texts` is emptied on the way, so that no column lies in memory twice. `as_written`: the names of columns to leave
    as they are. `machine`: whether a dot is that of decimals, whatever stands behind it.
    """
    words: set[str] = set()
    columns: list[Any] = []
    texts.reverse()
    for name in names:
        column = texts.pop()
        numbers = None if name in as_written else plain_numbers(column, machine)
        if numbers is None:
            dates = None if name in as_written else _plain_dates(column)
            if dates is not None:
                columns.append(dates)
                continue
            blank = compute.match_substring_regex(column, _BLANK)
            columns.append(compute.if_else(blank, None, column) if compute.any(blank).as_py() else column)
            continue
        if numbers.null_count:
            missing = compute.unique(compute.utf8_lower(compute.filter(column, compute.is_null(numbers))))
            words.update(MAY_BE_MEANT.intersection(missing.to_pylist()))
        columns.append(numbers)
    return pyarrow.table(columns, names=names), frozenset(words)


def plain_numbers(column: Any, machine: bool = False) -> Any | None:
    """A column of text as whole numbers or fractions, if a machine wrote all of them so; else None.

    Numbers that people write (with marks of thousands, units, leading zeros) are none of these, nor is what might be.
    """
    if not _may_be(column):
        return None
    # Few columns have blanks beside their numbers, and to look at every cell for them takes its time.
    numbers = _numbers(column, machine)
    return _numbers(compute.utf8_trim_whitespace(column), machine) if numbers is None else numbers


def _numbers(cells: Any, machine: bool) -> Any | None:
    texts = _without_gaps(cells)
    if texts.null_count == len(texts):
        return None
    if _all_match(texts.slice(0, _FIRST), _WHOLE) and _all_match(texts, _WHOLE):
        return compute.cast(texts, pyarrow.int64())
    if not _all_match(texts, _FRACTION):
        return None
    # A long number may be one of an account, of which no digit is to be lost.
    decimal = machine or any(_any_match(some, _DECIMAL) for some in (texts.slice(0, _FIRST), texts))
    return compute.cast(texts, pyarrow.float64()) if decimal else None


def _plain_dates(column: Any) -> Any | None:
    """A column of text as dates, if all are written by the standard, alike, and are days that there are; else None."""
    head = _without_gaps(column.slice(0, _FIRST))
    pattern = next((each for each in _DATES if head.null_count < len(head) and _all_match(head, each)), None)
    if pattern is None or not _all_match(texts := _without_gaps(column), pattern):
        return None
    try:
        return compute.cast(texts, pyarrow.timestamp("s", "UTC" if pattern.endswith("Z$") else None))
    except pyarrow.ArrowInvalid:
        # The 30th of February.
        return None


def _may_be(column: Any) -> bool:
    """Whether the first cells are numbers."""
    return _all_match(_without_gaps(compute.utf8_trim_whitespace(column.slice(0, _FIRST))), _FRACTION)


def _without_gaps(cells: Any) -> Any:
    return compute.if_else(compute.is_in(cells, value_set=_NULLS), None, cells)


def _all_match(texts: Any, pattern: str) -> bool:
    return compute.all(compute.match_substring_regex(texts, pattern), min_count=0).as_py() is not False


def _any_match(texts: Any, pattern: str) -> bool:
    return bool(compute.any(compute.match_substring_regex(texts, pattern)).as_py())
