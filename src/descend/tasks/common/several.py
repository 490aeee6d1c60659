"""A table in several files, one below another."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import pandas as pd
import pyarrow

from descend.errors import InputError
from descend.tasks.common.columns import listing, refuse_duplicates
from descend.tasks.common.rows import Rows

# What a file holds: cells that are text, or columns that have types.
Read: TypeAlias = Rows | pyarrow.Table | pd.DataFrame
# Notes of files that are told.
TOLD_NOTES = 3


def joined(parts: Sequence[Read], files: Sequence[str]) -> Read:
    """The rows of all files, in the first one's order of columns.

    **Raises** `InputError` where a file has other columns than the first, or columns of another type.
    """
    names = [_names(part) for part in parts]
    for name, file in zip(names, files, strict=True):
        refuse_duplicates(pd.Index(name))
        _refuse_others(names[0], name, files[0], file)
    kinds = [type(part) for part in parts]
    for (kind, other), file in zip(pairwise(kinds), files[1:], strict=True):
        if kind is not other:
            raise InputError(f"{file} tells its columns' types, or does not, other than {files[0]}: write all files of "
                             "a table in one form")
    if isinstance(parts[0], Rows):
        tables = [part.table for part in parts]
        notes = [f"{file}: {note}" for part, file in zip(parts, files, strict=True) for note in part.notes]
        if (more := len(notes) - TOLD_NOTES) > 0:
            notes[TOLD_NOTES:] = [f"and {more:,} more such notes of files"]
        return Rows(_below(tables, files), tuple(notes), all(part.machine for part in parts))
    if isinstance(parts[0], pyarrow.Table):
        return _below(list(parts), files)
    return pd.concat(parts, ignore_index=True)


def with_columns(read: Read, told: Mapping[str, str | None]) -> Read:
    """The same with columns that are one value in all rows."""
    for name, value in told.items():
        refuse_duplicates(pd.Index([*_names(read), name]))
        if isinstance(read, pd.DataFrame):
            read = read.assign(**{name: value})
            continue
        table = read.table if isinstance(read, Rows) else read
        table = table.append_column(name, pyarrow.array([value] * table.num_rows, pyarrow.string()))
        read = read._replace(table=table) if isinstance(read, Rows) else table
    return read


def _below(tables: list[Any], files: Sequence[str]) -> pyarrow.Table:
    """Tables one below another; a column of whole numbers in one and of others in another is one of numbers."""
    first = tables[0]
    whole = [first]
    for table, file in zip(tables[1:], files[1:], strict=True):
        ordered = table.select(first.column_names)
        for name in first.column_names:
            _refuse_other_type(name, first.field(name).type, ordered.field(name).type, files[0], file)
        whole.append(ordered)
    return pyarrow.concat_tables([table.replace_schema_metadata() for table in whole], promote_options="permissive")


def _refuse_other_type(name: str, one: Any, other: Any, first: str, file: str) -> None:
    try:
        pyarrow.unify_schemas([pyarrow.schema([(name, one)]), pyarrow.schema([(name, other)])],
                              promote_options="permissive")
    except pyarrow.ArrowException:
        raise InputError(f"the column {name!r} is {one} in {first}, and {other} in {file}: write it as one type"
                         ) from None


def _refuse_others(first: list[str], names: list[str], where: str, file: str) -> None:
    lacking, more = ([name for name in some if name not in others] for some, others in
                     ((first, names), (names, first)))
    if lacking or more:
        told = [f"lacks {listing(lacking)}"] * bool(lacking) + [f"has {listing(more)} besides"] * bool(more)
        raise InputError(f"{file} {' and '.join(told)}: all files of a table must have the columns of the first, "
                         f"{where}")


def _names(part: Read) -> list[str]:
    table = part.table if isinstance(part, Rows) else part
    return [str(name) for name in (table.columns if isinstance(table, pd.DataFrame) else table.column_names)]
