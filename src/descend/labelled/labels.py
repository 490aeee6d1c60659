"""A table that says what class each picture is of, beside the pictures: its columns `file` and `label`."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from descend.errors import InputError
from descend.neural.pictures import HEIF, is_picture, shown
from descend.tables.parsing import as_text
from descend.tables.reading import Table, read_table

FILE, LABEL = "file", "label"
SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".tab", ".parquet", ".feather", ".arrow"})
TEXTS = frozenset({".csv", ".tsv", ".txt", ".tab"})  # whose first line has the names of their columns
HEAD = 2**16  # bytes in which that line ends


@dataclass(frozen=True)
class Labels:
    """Pictures with their classes, as a table has them: names in the table, paths, labels, and what is to be told."""

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def tables_of_labels(files: list[Path]) -> list[Path]:
    """Those files among some that are tables with these columns."""
    return [path for path in files if path.suffix.lower() in SUFFIXES and _may_be_one(path) and _is_one(path)]


def labels_from(table: Table, path: Path) -> Labels | None:
    """What a table in a file says of pictures, named from where the file is; None, if it speaks of none.

    **Raises** `InputError` if it says two things of one picture.
    """
    columns = _columns(table.frame)
    if columns is None:
        return None
    files, labels = (as_text(table.frame[column]) for column in columns)
    known = (files.notna() & labels.notna()).to_numpy()
    told = dict.fromkeys(zip(files[known], labels[known], strict=True))  # each once, in the table's order
    places = {name: path.parent / os.path.normpath(name) for name, _ in told}
    by_path: dict[Path, tuple[str, str]] = {}
    for name, label in told:
        before = by_path.setdefault(places[name], (name, label))
        if before[1] != label:
            raise InputError(f"{shown(path)} has {name!r} with the labels {before[1]!r} and {label!r}: keep one of "
                             "them")
    dropped = int((~known).sum())
    notes = (f"{dropped:,} rows of {shown(path.name)} lack a file or a label",) if dropped else ()
    names, classes = zip(*by_path.values(), strict=True) if by_path else ((), ())
    return Labels(names, tuple(by_path), classes, notes)


def speaks_of_pictures(labels: Labels) -> bool:
    """Whether the files are pictures by their names, of this machine's kinds or others'."""
    return bool(labels.paths) and (is_picture(labels.paths[0]) or labels.paths[0].suffix.lower() in HEIF)


def _columns(frame: pd.DataFrame) -> tuple[object, object] | None:
    named = {str(name).strip().casefold(): name for name in frame.columns}
    return (named[FILE], named[LABEL]) if FILE in named and LABEL in named else None


def _may_be_one(path: Path) -> bool:
    """Whether the names may be among the columns: a large table of another kind need not be read to see it."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    if path.suffix.lower() not in TEXTS:
        return True
    first = head.replace(b"\0", b"").lower()  # also of UTF-16
    return FILE.encode() in first and LABEL.encode() in first


def _is_one(path: Path) -> bool:
    try:
        return _columns(read_table(path).frame) is not None
    except InputError:
        return False
