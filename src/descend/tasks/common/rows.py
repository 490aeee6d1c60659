"""What the rows of a file are: which is the header, which tell units, which are totals; all they have is text."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow
from pyarrow import compute

from descend.tasks.common.parsing import MISSING
from descend.tasks.common.plain import plain_numbers

_TOTAL = re.compile(r"(?i)(grand |sub)?(totals?|sum|summe|gesamt|insgesamt|overall|average|mean|suma)\b.*")
_UNIT = re.compile(r"[(\[].{1,20}[)\]]|[^\W\d_]{1,3}([/·.²³^-].{0,8})?|%|€|\$|°\w?|-|")
_VALUE = re.compile(r"[-+]?(\d+([.,]\d+)?|[.,]\d+)([eE][-+]?\d+)?")
_INFINITE = re.compile(r"(?i)[-+]?inf(inity)?")
_ROWS_BELOW_UNITS = 2


class Rows(NamedTuple):
    """Rows of text below their header, and what was left out, in sentences; `machine`: whether a dot is that of
    decimals, whatever stands behind it."""

    table: pyarrow.Table
    notes: tuple[str, ...]
    machine: bool = False


def without_frills(table: pyarrow.Table) -> Rows:
    """The rows of a file with the names of their header.

    Without a header, columns are called by their numbers. A row of units below it, totals at the end, and empty rows
    and columns are left out, and told of.
    """
    names = [str(name or "").strip("\ufeff") for name in _row(table, 0)]
    notes = []
    if table.num_rows > 1 and _is_data(names, table):
        names = [f"column {number}" for number in range(1, len(names) + 1)]
        notes.append(f"the first line is one of values, and no header: columns are called {names[0]} to {names[-1]}")
    else:
        table = table.slice(1)
    for told, left_out in (_UNITS, _TOTALS, _EMPTY):
        kept = left_out(table)
        if kept.num_rows < table.num_rows:
            notes.append(told.format(table.num_rows - kept.num_rows))
            table = kept
    kept_columns = [index for index, name in enumerate(names) if name.strip() or not _is_empty(table.column(index))]
    if len(kept_columns) < len(names):
        table, names = table.select(kept_columns), [names[index] for index in kept_columns]
    return Rows(table.rename_columns(_named(names, notes)), tuple(notes))


def _row(table: pyarrow.Table, number: int) -> list[str]:
    return [str(column[number].as_py() or "") for column in table.columns]


def _is_empty(column: Any) -> bool:
    return column.null_count == len(column) or not compute.any(
        compute.greater(compute.utf8_length(compute.utf8_trim_whitespace(column)), 0)).as_py()


def _is_data(names: list[str], table: pyarrow.Table) -> bool:
    """Whether the first line is one of values: numbers where others are below, of which some are no names."""
    below = table.slice(1)
    if not any(_VALUE.fullmatch(name.strip()) for name in names):
        return False
    numeric = [index for index, column in enumerate(below.columns) if plain_numbers(column, machine=True) is not None]
    if not numeric or not all(_VALUE.fullmatch(names[index].strip()) for index in numeric):
        return False
    # Years and counters are names, too: those of values occur below, have fractions, or are there twice.
    told = [names[index] for index in numeric]
    others = [index for index in range(len(names)) if index not in numeric]
    again = any(_occurs(names[index], below.column(index)) for index in others)
    fractions = any(re.search(r"[.,]\d", name) for name in told)
    repeated = len(set(told)) < len(told)
    seen = any(_occurs(names[index], below.column(index)) for index in numeric)
    return fractions or repeated or again or (seen and not others)


def _without_units(table: pyarrow.Table) -> pyarrow.Table:
    """Without the first row, if it is of units: none of its cells is a number, and in some columns all others are."""
    if table.num_rows <= _ROWS_BELOW_UNITS:
        return table
    first = [cell.strip() for cell in _row(table, 0)]
    if any(_VALUE.fullmatch(cell) for cell in first) or not any(first):
        return table
    below = table.slice(1)
    numeric = [index for index, column in enumerate(below.columns) if plain_numbers(column, machine=True) is not None]
    units = [first[index] for index in numeric]
    told = [unit for unit in units if unit.lower() not in MISSING]
    if not told or not all(_UNIT.fullmatch(unit) for unit in units) or any(map(_INFINITE.fullmatch, units)):
        return table
    # A word that is there again is one of the values.
    others = [index for index in range(len(first)) if index not in numeric and first[index]]
    return table if any(_occurs(first[index], below.column(index)) for index in others) else below


def _occurs(word: str, column: Any) -> bool:
    return bool(compute.any(compute.equal(column, word)).as_py())


def _without_totals(table: pyarrow.Table) -> pyarrow.Table:
    """Without the last row, if its first word is one for totals, which no other row has."""
    if table.num_rows < 3:
        return table
    last = _row(table, table.num_rows - 1)
    place = next((index for index, cell in enumerate(last) if cell.strip()), None)
    if place is None or not _TOTAL.fullmatch(last[place].strip()):
        return table
    above = compute.utf8_lower(table.column(place).slice(0, table.num_rows - 1))
    words = [index for index, cell in enumerate(last) if cell.strip() and not any(map(str.isdigit, cell))]
    if words != [place] or compute.any(compute.match_substring(above, last[place].strip().lower())).as_py():
        return table
    return table.slice(0, table.num_rows - 1)


def _without_empty(table: pyarrow.Table) -> pyarrow.Table:
    """Without rows that have nothing but delimiters."""
    if table.num_columns < 2 or not table.num_rows:
        return table
    blank: Any = None
    for column in table.columns:
        here = compute.equal(compute.utf8_length(compute.utf8_trim_whitespace(compute.fill_null(column, ""))), 0)
        blank = here if blank is None else compute.and_(blank, here)
        if not compute.any(blank).as_py():
            return table
    return table.filter(compute.invert(blank))


_Leaving = tuple[str, Callable[[pyarrow.Table], pyarrow.Table]]
_UNITS: _Leaving = ("the row below the header, which tells units, is left out", _without_units)
_TOTALS: _Leaving = ("the last row, which tells totals, is left out", _without_totals)
_EMPTY: _Leaving = ("{:,} rows that are empty are left out", _without_empty)


def _named(names: list[str], notes: list[str]) -> list[str]:
    """The names, with one for each that is empty, unless it is the only one, of an index."""
    empty = [index for index, name in enumerate(names) if not name.strip()]
    if len(empty) < 2 and not (empty and empty[0] > 0):
        return names
    taken = Counter(names)
    made = [name if name.strip() or taken[f"column {index + 1}"] else f"column {index + 1}"
            for index, name in enumerate(names)]  # fmt: skip
    notes.append(f"{len(empty):,} columns without a name are called by their numbers, as column {empty[0] + 1}")
    return made
