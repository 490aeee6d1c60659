"""Tables as files, in the format that a file's name says: those that are read, but for workbooks."""

import bz2
import gzip
import io
import lzma
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pyarrow

from descend._files import write_atomically
from descend.errors import InputError

# A table's name in a database.
DATABASE_TABLE = "predictions"
_WORKBOOKS = frozenset((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"))


def check_suffix(path: Path) -> None:
    """Refuse a file name that does not say what to write, before there is anything to lose.

    **Raises** `InputError`.
    """
    suffix, _ = _endings(path)
    if suffix in _WORKBOOKS:
        raise InputError(f"cannot write {path}: workbooks are read alone; name a .csv, which opens as one")
    if suffix not in WRITERS:
        raise InputError(f"cannot tell what to write to {path}: end its name with {', '.join(WRITERS)}; behind it, "
                         f"{', '.join(_PACKERS)} may say how to pack it")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table in the format of the file's endings, all of it or nothing.

    **Raises** `InputError` if the file cannot be written.
    """
    suffix, packed = _endings(path)
    try:
        content = WRITERS[suffix](frame)
        write_atomically(path, _PACKERS[packed](content, path.stem) if packed else content)
    except (OSError, ValueError, TypeError, OverflowError, sqlite3.Error, pyarrow.ArrowException) as error:
        raise InputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def as_csv(frame: pd.DataFrame) -> bytes:
    """A table as text with commas, in UTF-8."""
    return frame.to_csv(index=False).encode()


def _endings(path: Path) -> tuple[str, str]:
    """What of a file's name says what is in it, and what says how that is packed."""
    last = path.suffix.lower()
    return (Path(path.stem).suffix.lower(), last) if last in _PACKERS else (last, "")


def _feather(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_feather(buffer)
    return buffer.getvalue()


def _records(frame: pd.DataFrame, lines: bool) -> bytes:
    """A record for each row; of numbers all digits, and of dates a text that everybody reads."""
    text = frame.to_json(orient="records", lines=lines, date_format="iso", double_precision=15, force_ascii=False)
    return text.encode()


def _database(frame: pd.DataFrame) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        frame.to_sql(DATABASE_TABLE, connection, index=False)
        return connection.serialize()


def _zstandard(content: bytes, _: str) -> bytes:
    return pyarrow.compress(content, codec="zstd", asbytes=True)


def _zip(content: bytes, name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": as_csv,
    ".tsv": lambda frame: frame.to_csv(index=False, sep="\t").encode(),
    ".json": lambda frame: _records(frame, lines=False),
    ".jsonl": lambda frame: _records(frame, lines=True),
    ".ndjson": lambda frame: _records(frame, lines=True),
    ".parquet": lambda frame: frame.to_parquet(index=False),
    ".feather": _feather,
    ".arrow": _feather,
    ".sqlite": _database,
    ".db": _database,
}
# What packs the content of a file of a name.
_PACKERS: dict[str, Callable[[bytes, str], bytes]] = {
    ".gz": lambda content, _: gzip.compress(content, mtime=0),
    ".bz2": lambda content, _: bz2.compress(content),
    ".xz": lambda content, _: lzma.compress(content),
    ".zst": _zstandard,
    ".zip": _zip,
}
