"""What a messy file is, and how a table that was read is looked at."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from descend.tasks.common.columns import Kind, describe_columns, told_of
from descend.tasks.common.reading import read_table
from descend.tasks.table.typed import typed_frame

N, B, C, D, T, X = Kind.number, Kind.boolean, Kind.category, Kind.date, Kind.text, Kind.ignored


@dataclass(frozen=True)
class Case:
    """A file: what it is called, its bytes, the kind and the values of each column, and words that must be told.

    Of columns that are ignored, values are none. Without words to be told, nothing may be told but what is ignored.
    """

    title: str
    content: bytes
    columns: dict[str, tuple[Kind, list[Any] | None]]
    told: tuple[str, ...] = ()
    suffix: str = ".csv"
    read: dict[str, Any] = field(default_factory=dict)


def case(title: str, content: str | bytes, columns: dict[str, Any], *told: str, suffix: str = ".csv") -> Case:
    """A case; text is in UTF-8."""
    return Case(title, content.encode() if isinstance(content, str) else content, columns, told, suffix)


def column(title: str, values: list[str], kind: Kind, expected: list[Any] | None, *told: str, sep: str = "\t") -> Case:
    """A file of a column x, beside one of letters."""
    rows = "".join(f"{value}{sep}{'ab'[index % 2]}\n" for index, value in enumerate(values))
    letters = ["ab"[index % 2] for index in range(len(values))]
    return case(title, f"x{sep}k\n{rows}", {"x": (kind, expected), "k": (C, letters)}, *told)


def looked_at(path: Path) -> tuple[dict[str, tuple[Kind, list[Any] | None]], str]:
    """Kinds and values of a file's columns, and all that is told of it."""
    table = read_table(path)
    columns = describe_columns(table.frame, table.gap_words)
    used = tuple(one for one in columns if one.kind is not Kind.ignored)
    frame = typed_frame(table.frame, used)
    found = {one.name: (one.kind, _plain(frame[one.name]) if one in used else None) for one in columns}
    notes = [note for note in told_of(columns) if "ignored:" not in note]
    return found, "\n".join([*table.notes, *notes])


def _plain(values: pd.Series) -> list[Any]:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return [None if pd.isna(day) else day.isoformat().removesuffix("T00:00:00") for day in values]
    return [None if pd.isna(value) else value for value in values]
