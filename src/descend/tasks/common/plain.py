"""Columns of text that a machine wrote as numbers become numbers; all others stay as they were written."""

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
_FRACTION = r"^-?(0|[1-9]\d*)?(\.\d*)?([eE][-+]?\d+)?$"
_DIGIT = r"\d"
# "1.234" may be of thousands; these are not.
_DECIMAL = r"^-?0?\.\d|\.\d{0,2}$|\.\d{4,}$|[eE]"
# So many rows rule out most columns of words.
_FIRST = 100


def typed_cells(
    names: list[str], texts: list[Any], as_written: Collection[str] = (), machine: bool = False
) -> tuple[pyarrow.Table, frozenset[str]]:
    """A table of columns of text, those of plain numbers as numbers; and the words that stood for gaps among these.

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
            blank = compute.equal(compute.utf8_length(compute.utf8_trim_whitespace(column)), 0)
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
    head = _present(column.slice(0, _FIRST))
    if not _all_match(head, _FRACTION):
        return None
    texts = _present(column)
    if texts.null_count == len(texts) or not _all_match(texts, _FRACTION) or not _all_match(texts, _DIGIT):
        return None
    if _all_match(texts, _WHOLE):
        return compute.cast(texts, pyarrow.int64())
    decimal = machine or compute.any(compute.match_substring_regex(texts, _DECIMAL)).as_py()
    # A long number may be one of an account, of which no digit is to be lost.
    return compute.cast(texts, pyarrow.float64()) if decimal else None


def _present(column: Any) -> Any:
    texts = compute.utf8_trim_whitespace(column)
    return compute.if_else(compute.is_in(texts, value_set=_NULLS), None, texts)


def _all_match(texts: Any, pattern: str) -> bool:
    return compute.all(compute.match_substring_regex(texts, pattern), min_count=0).as_py() is not False
