"""Tables from files, whatever wrote them, and from the samples that scikit-learn brings along."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import feather, ipc, parquet

from descend._arrow import as_seconds, refuse_far_dates
from descend._packed import gunzipped, refuse_larger
from descend.errors import InputError, reading
from descend.tasks.common.columns import refuse_duplicates
from descend.tasks.common.delimited import read_delimited
from descend.tasks.common.samples import read_sample

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
# What pandas calls an index without a name.
_UNNAMED = re.compile(r"__index_level_\d+__")
# Bytes that a value of Parquet's types has once it is read.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}
_PARQUET, _FEATHER_1, _ARROW, _STREAM = b"PAR1", b"FEA1", b"ARROW1", b"\xff" * 4


@dataclass(frozen=True)
class Table:
    """A table in memory.

    - `frame`: its rows.
    - `name`: what to call it: the file's name without its suffix, or the sample's name.
    - `digest`: SHA-256 of the file's bytes, or of the sample's values.
    """

    frame: pd.DataFrame
    name: str
    digest: str


def read_table(source: str | Path) -> Table:
    """Reads a file (CSV and its kin, Parquet, Feather or Arrow, gzipped or not), or `sample:NAME`.

    The content decides what a file is, not its suffix.
    """
    if str(source).startswith("sample:"):
        return _sample_table(str(source).removeprefix("sample:"))
    path = Path(source).expanduser()
    raw = _read_bytes(path)
    where = repr(str(source))
    with reading(f"{where} cannot be read as a table"):
        frame = _read_frame(raw, where, path.suffixes)
    if frame.empty:
        raise InputError(f"{where} has a header and no rows: there is nothing to learn from or to predict")
    name = path.name.removesuffix(path.suffix) if path.suffix != ".gz" else Path(path.stem).stem
    return Table(frame, name, hashlib.sha256(raw).hexdigest())


def _sample_table(name: str) -> Table:
    frame = read_sample(name)
    # The values, and not a file's bytes: scikit-learn may store them in another way some day.
    digest = hashlib.sha256(repr(list(frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return Table(frame, name, digest.hexdigest())


def _read_bytes(path: Path) -> bytes:
    where = repr(str(path))
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no file {where}{_near(path)}") from None
    except IsADirectoryError:
        raise InputError(f"{where} is a folder: name one file in it") from None
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror or error}") from error
    if not raw:
        raise InputError(f"{where} is empty: it has neither a header nor rows")
    return raw


def _near(path: Path) -> str:
    """A suggestion of files with a name much like this one, or what is wrong with the folder."""
    if not path.parent.is_dir():
        return f": there is no folder {str(path.parent)!r}"
    names = {entry.name.lower(): entry.name for entry in path.parent.iterdir() if entry.is_file()}
    close = get_close_matches(path.name.lower(), names, n=3)
    return f": did you mean {' or '.join(repr(names[name]) for name in close)}?" if close else ": check the path"


def _read_frame(raw: bytes, where: str, suffixes: list[str]) -> pd.DataFrame:
    if raw.startswith(_GZIP):
        raw = gunzipped(raw, where)
    if raw.startswith(_ZIP):
        raise InputError(f"{where} is a zip archive or an Excel workbook: save the table as CSV, or unpack it first")
    table = _read_arrow(raw, where, suffixes)
    refuse_duplicates(pd.Index(table.column_names))
    return _to_frame(table)


def _read_arrow(raw: bytes, where: str, suffixes: list[str]) -> pyarrow.Table:
    source, refuse = pyarrow.BufferReader(raw), partial(refuse_larger, packed=len(raw), where=where)
    # By the first bytes: suffixes are often wrong, and mail programs take them away.
    readers: dict[bytes, tuple[str, Callable[[], pyarrow.Table]]] = {
        _PARQUET: ("Parquet", lambda: _of_parquet(source, refuse)),
        _FEATHER_1: ("Feather", lambda: feather.read_table(source)),
        _ARROW: ("Arrow", lambda: _of_file(ipc.open_file(source), refuse)),
        _STREAM: ("Arrow", lambda: _of_stream(ipc.open_stream(source), refuse)),
    }
    for magic, (form, read) in readers.items():
        if raw.startswith(magic):
            with reading(f"{where} is a damaged {form} file, write it again"):
                table = read()
                # Else what looks at its values may read memory of others, or end there.
                table.validate(full=True)
                return table
    if {".parquet", ".feather", ".arrow"} & set(suffixes):
        raise InputError(f"{where} is not the {suffixes[-1][1:]} file that its name says: write it again")
    return read_delimited(raw, where)


def _of_parquet(source: Any, refuse: Callable[[int], None]) -> pyarrow.Table:
    """A Parquet file, unless it says that it unpacks to more than it may."""
    told = parquet.read_metadata(source)
    # What is told of text is its size with all repetitions packed, so that at least the columns' widths are counted.
    chunks = (told.row_group(i).column(j) for i in range(told.num_row_groups) for j in range(told.num_columns))
    refuse(sum(max(chunk.total_uncompressed_size, chunk.num_values * _WIDTHS.get(chunk.physical_type, 8))
               for chunk in chunks))
    return parquet.read_table(source)


def _of_file(reader: Any, refuse: Callable[[int], None]) -> pyarrow.Table:
    """An Arrow file, as long as it unpacks to no more than it may."""
    return _of_batches((reader.get_batch(i) for i in range(reader.num_record_batches)), reader.schema, refuse)


def _of_stream(reader: Any, refuse: Callable[[int], None]) -> pyarrow.Table:
    """The same of a stream of batches."""
    return _of_batches(reader, reader.schema, refuse)


def _of_batches(reader: Iterable[Any], schema: pyarrow.Schema, refuse: Callable[[int], None]) -> pyarrow.Table:
    batches, unpacked = [], 0
    for batch in reader:
        batches.append(batch)
        unpacked += batch.nbytes
        refuse(unpacked)
    return pyarrow.Table.from_batches(batches, schema)


def _to_frame(table: pyarrow.Table) -> pd.DataFrame:
    """A pandas frame with a plain index: an index that was given a name is a column like any other.

    What pandas noted about the table is not looked at: other tools keep the note, and change the columns.
    """
    # An index without a name is the numbers of rows, and tells nothing.
    unnamed = [name for name in table.column_names if _UNNAMED.fullmatch(name)]
    table = table.drop_columns(unnamed).replace_schema_metadata()
    for index, field in enumerate(table.schema):
        refuse_far_dates(field, table.column(index))
        # A time of day becomes the seconds since midnight.
        if pyarrow.types.is_time(field.type):
            seconds = as_seconds(table.column(index))
            whole = seconds.cast("int64") if field.type.unit == "s" else seconds
            table = table.set_column(index, field.name, whole)
    return table.to_pandas(date_as_object=False)
