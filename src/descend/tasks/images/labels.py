"""A table that says what class each picture is of, beside the pictures: its columns `file` and `label`."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from descend.errors import InputError
from descend.neural.pictures import HEIF, is_picture, shown
from descend.tasks.common.parsing import as_text
from descend.tasks.common.reading import Table, read_table

FILE_COLUMN, LABEL_COLUMN = "file", "label"
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".tab", ".parquet", ".feather", ".arrow"})
# Of files whose first line has the names of their columns.
TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".tab"})
# A table's first line ends within so many bytes.
HEADER_BYTES = 2**16


@dataclass(frozen=True)
class Labels:
    """Pictures with their classes, as a table has them: names in the table, paths, labels, and what is to be told."""

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def tables_of_labels(files: list[Path]) -> list[Path]:
    """Those files among some that are tables with these columns."""
    return [path for path in files if path.suffix.lower() in TABLE_SUFFIXES and _may_be_one(path) and _is_one(path)]


def labels_from(table: Table, path: Path) -> Labels | None:
    """What a table in a file says of pictures, named from where the file is; None, if it speaks of none.

    **Raises** `InputError` if it says two things of one picture.
    """
    told = _told(table.frame)
    if told is None:
        return None
    files, labels = told
    known = (files.notna() & labels.notna()).to_numpy()
    by_path: dict[Path, tuple[str, str]] = {}
    for name, label in zip(files[known], labels[known], strict=True):
        # By the path and not by the name: "a.png" and "./a.png" are one picture.
        before = by_path.setdefault(path.parent / os.path.normpath(name), (name, label))
        if before[1] != label:
            raise InputError(f"{shown(path)} has {name!r} with the labels {before[1]!r} and {label!r}: keep one of "
                             "them")
    dropped = int((~known).sum())
    notes = (f"{dropped:,} rows of {shown(path.name)} lack a file or a label",) if dropped else ()
    names, classes = zip(*by_path.values(), strict=True)
    return Labels(names, tuple(by_path), classes, notes)


def _told(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series] | None:
    """Both columns as text, if they are there, and the first file that has a label is a picture by its name."""
    named = {str(name).strip().casefold(): name for name in frame.columns}
    if not {FILE_COLUMN, LABEL_COLUMN} <= set(named):
        return None
    files, labels = as_text(frame[named[FILE_COLUMN]]), as_text(frame[named[LABEL_COLUMN]])
    first = files[files.notna() & labels.notna()].head(1)
    are_pictures = any(is_picture(Path(name)) or Path(name).suffix.lower() in HEIF for name in first)
    return (files, labels) if are_pictures else None


def _may_be_one(path: Path) -> bool:
    """Whether the names may be among the columns: a large table of another kind need not be read to see it."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError:
        return False
    if path.suffix.lower() not in TEXT_SUFFIXES:
        return True
    # The bytes between letters are taken out, so that UTF-16 is understood.
    first = head.replace(b"\0", b"").lower()
    return FILE_COLUMN.encode() in first and LABEL_COLUMN.encode() in first


def _is_one(path: Path) -> bool:
    try:
        return _told(read_table(path).frame) is not None
    except InputError:
        return False
