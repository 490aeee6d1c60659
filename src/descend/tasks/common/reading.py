"""Tables from files, whatever wrote them, and from the samples that scikit-learn brings along."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow

from descend._packed import member, members, unpacked
from descend.errors import InputError, reading
from descend.tasks.common.arrow_files import MAGICS, read_arrow, to_frame
from descend.tasks.common.columns import refuse_duplicates
from descend.tasks.common.delimited import read_delimited
from descend.tasks.common.encodings import decoded
from descend.tasks.common.parts import chosen_part
from descend.tasks.common.patterns import counted, files_of, name_of, paths_of, told_by_folders
from descend.tasks.common.plain import typed_cells
from descend.tasks.common.rows import Rows, without_frills
from descend.tasks.common.samples import read_sample
from descend.tasks.common.several import Read, joined, with_columns
from descend.tasks.common.sheets import OLD_WORKBOOK, read_sheet
from descend.tasks.common.sources import Source, fetched, refuse_too_large
from descend.tasks.common.structured import SQLITE, is_json, read_database, read_json

_ZIP = b"PK\x03\x04"
_DUCKDB = b"DUCK"
# What a workbook's archive has in it.
_WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
_TYPED_SUFFIXES = frozenset((".parquet", ".feather", ".arrow"))


@dataclass(frozen=True)
class Table:
    """A table in memory.

    - `frame`: its rows.
    - `name`: what to call it: the file's name without its suffix, or the sample's name.
    - `digest`: SHA-256 of the file's bytes, or of the sample's values.
    - `gap_words`: words that stand for gaps among its numbers, in small letters; they do so among its words, too.
    - `notes`: what was done to it, in sentences.
    """

    frame: pd.DataFrame
    name: str
    digest: str
    gap_words: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def read_table(source: str | Path, as_written: Collection[str] = ()) -> Table:
    """Reads a table from a file, a folder of such or a pattern, `sample:NAME`, a URL, or `-`, the standard input.

    The content decides what a file is, not its suffix: CSV and its kin, Parquet, Feather or Arrow, JSON, workbooks,
    databases of SQLite; packed or not. Of a file that has several tables, one is named behind a #. A table in several
    files has the same columns in each; they are read in the order of their names.

    `as_written`: the columns of which a text file's cells are to be left as text.

    **Raises** `InputError` for what cannot be read.
    """
    if str(source).startswith("sample:"):
        return _sample_table(str(source).removeprefix("sample:"))
    files = files_of(source)
    refuse_too_large(paths_of(source), repr(str(source)))
    # The text of a column takes, once it is typed, as much memory as the table: no name holds it.
    content, name, where, digest = _of_several(files, source) if files else _of_file(source)
    with reading(f"{where} cannot be read as a table"):
        table = _typed(content.pop(), name, digest, as_written)
        refuse_duplicates(table.frame.columns)
    if len(files) > 1:
        table = replace(table, notes=(f"read from {counted(files)}", *table.notes))
    if table.frame.empty:
        raise InputError(f"{where} has a header and no rows: there is nothing to learn from or to predict")
    return table


def _of_file(source: str | Path) -> tuple[list[Read], str, str, str]:
    """What a file has, alone in a list; its name, what messages call it, and its digest."""
    found = fetched(source)
    with reading(f"{found.where} cannot be read as a table"):
        return [_read(found.raw, found)], found.name, found.where, _digest(found)


def _of_several(files: list[Path], source: str | Path) -> tuple[list[Read], str, str, str]:
    """The same of several files."""
    contents, places, digest = [], [], hashlib.sha256()
    for file in files:
        content, _, where, own = _of_file(file)
        told = told_by_folders(file, source)
        contents.append(with_columns(content.pop(), told))
        places.append(where)
        digest.update((own + json.dumps(told) * bool(told)).encode())
    return [joined(contents, places)], name_of(source), repr(str(source)), digest.hexdigest()


def _digest(found: Source) -> str:
    digest = hashlib.sha256(found.raw)
    if found.part:
        digest.update(found.part.encode())
    return digest.hexdigest()


def _typed(rows: Read, name: str, digest: str, as_written: Collection[str]) -> Table:
    """A table; of cells that are text, those that a machine wrote as numbers or dates as such."""
    if not isinstance(rows, Rows):
        return Table(to_frame(rows) if isinstance(rows, pyarrow.Table) else rows, name, digest)
    names, texts, notes, machine = rows.table.column_names, rows.table.columns, rows.notes, rows.machine
    refuse_duplicates(pd.Index(names))
    del rows
    cells, gap_words = typed_cells(names, texts, as_written, machine)
    return Table(to_frame(cells), name, digest, gap_words, notes)


def _sample_table(name: str) -> Table:
    frame = read_sample(name)
    # The values, and not a file's bytes: scikit-learn may store them in another way some day.
    digest = hashlib.sha256(repr(list(frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return Table(frame, name, digest.hexdigest())


def _read(raw: bytes, source: Source) -> Read:
    where, part = source.where, source.part
    raw = unpacked(raw, where)
    if raw.startswith(_ZIP):
        names = members(raw, where)
        if any(name in names for name in _WORKBOOKS):
            return _of_sheet(raw, where, part)
        inner = member(raw, chosen_part(names, part, where, "file"), where)
        return _read(inner, replace(source, part=""))
    if raw.startswith(OLD_WORKBOOK):
        return _of_sheet(raw, where, part)
    return read_database(raw, where, part) if raw.startswith(SQLITE) else _of_one(raw, source)


def _of_one(raw: bytes, source: Source) -> Read:
    """The table of a file that has no more than one."""
    where, part = source.where, source.part
    if raw[8:12] == _DUCKDB:
        raise InputError(f"{where} is a database of DuckDB: write the table as Parquet, by COPY name TO "
                         "'name.parquet'")
    if part:
        raise InputError(f"{where} is one table: leave out #{part}")
    if raw.startswith(MAGICS):
        table = read_arrow(raw, where)
        refuse_duplicates(pd.Index(table.column_names))
        return table
    if _TYPED_SUFFIXES & set(source.suffixes):
        raise InputError(f"{where} is not the {source.suffixes[-1][1:]} file that its name says: write it again")
    if is_json(raw):
        return read_json(decoded(raw, where)[0].removeprefix(b"\xef\xbb\xbf"), where)
    return read_delimited(raw, where)


def _of_sheet(raw: bytes, where: str, part: str) -> Rows:
    return without_frills(read_sheet(raw, where, part))._replace(machine=True)
