"""Tables from what has records already: JSON, databases of SQLite."""

import json
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import pandas as pd

from descend.errors import InputError
from descend.tasks.common.parts import chosen_part

SQLITE = b"SQLite format 3\x00"
# A query of a table may take so long, in seconds; and is looked at after so many instructions.
_QUERY_SECONDS, _INSTRUCTIONS = 120, 100_000


def is_json(raw: bytes) -> bool:
    """Whether a text begins as records of JSON do."""
    begin = raw[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return begin[:1] == b"{" or (begin[:1] == b"[" and begin[1:].lstrip()[:1] in (b"{", b"["))


def read_json(text: bytes, where: str) -> pd.DataFrame:
    """A table of JSON: a record on each line, a list of records or of rows, or a list of values for each column."""
    content = _parsed(text, where)
    if isinstance(content, dict):
        lists = {key: value for key, value in content.items() if isinstance(value, list)}
        # What services answer with: one list of records, beside what is said of it.
        if len(lists) == 1 and (only := next(iter(lists.values()))) and isinstance(only[0], dict):
            content = only
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return pd.json_normalize(content)
    if isinstance(content, list) and len(content) > 1 and all(isinstance(row, list) for row in content):
        header, *rows = content
        return pd.DataFrame(rows, columns=[str(name) for name in header])
    if isinstance(content, dict) and content and len({len(value) for value in content.values()
                                                      if isinstance(value, list | dict)}) == 1:  # fmt: skip
        return pd.DataFrame(content).reset_index(drop=True)
    raise InputError(f"{where} is JSON, but no table: expected a record on each line, a list of records, or a list of "
                     "values for each column")


def _parsed(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{where} is JSON that is nested too deeply to be a table") from None
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise InputError(f"{where} is damaged JSON: {error.msg} in line {error.lineno:,}, column "
                             f"{error.colno:,}") from None
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except ValueError as error:
                raise InputError(f"{where} is damaged JSON in line {number:,}: {error}") from None
    return records


def read_database(raw: bytes, where: str, part: str) -> pd.DataFrame:
    """A table of a database of SQLite."""
    # One that was written to beside its log is read as it was when the log was last brought into it.
    raw = raw[:18] + b"\x01\x01" + raw[20:]
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(raw)
            # Whoever wrote it runs nothing here: views and triggers are not asked, and a query ends.
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
            limit = time.monotonic() + _QUERY_SECONDS
            connection.set_progress_handler(lambda: time.monotonic() > limit, _INSTRUCTIONS)
            names = [str(name) for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'")]
            table = chosen_part(names, part, where, "table").replace('"', '""')
            found = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # a name that is there, quoted
            return _frame([name for name, *_ in found.description], found)
    except sqlite3.Error as error:
        raise InputError(f"{where} is a database of SQLite that cannot be read: {error}") from None


def _frame(names: list[str], rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    # A value that is missing everywhere has no type.
    return pd.DataFrame(list(rows), columns=names).infer_objects()
