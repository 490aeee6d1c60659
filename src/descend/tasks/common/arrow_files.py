"""Tables of Parquet, Feather and Arrow files, whose columns have types already."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import feather, ipc, parquet

from descend._arrow import as_seconds, refuse_far_dates
from descend._packed import refuse_larger
from descend.errors import reading

# What pandas calls an index without a name.
_UNNAMED = re.compile(r"__index_level_\d+__")
# Bytes that a value of Parquet's types has once it is read.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}
_PARQUET, _FEATHER_1, _ARROW, _STREAM = b"PAR1", b"FEA1", b"ARROW1", b"\xff" * 4
MAGICS = (_PARQUET, _FEATHER_1, _ARROW, _STREAM)


def read_arrow(raw: bytes, where: str) -> pyarrow.Table:
    """The table of a file that begins as one of `MAGICS`."""
    source, refuse = pyarrow.BufferReader(raw), partial(refuse_larger, packed=len(raw), where=where)
    # By the first bytes: suffixes are often wrong, and mail programs take them away.
    readers: dict[bytes, tuple[str, Callable[[], pyarrow.Table]]] = {
        _PARQUET: ("Parquet", lambda: _of_parquet(source, refuse)),
        _FEATHER_1: ("Feather", lambda: feather.read_table(source)),
        _ARROW: ("Arrow", lambda: _of_file(ipc.open_file(source), refuse)),
        _STREAM: ("Arrow", lambda: _of_stream(ipc.open_stream(source), refuse)),
    }
    form, read = readers[next(magic for magic in MAGICS if raw.startswith(magic))]
    with reading(f"{where} is a damaged {form} file, write it again"):
        table = read()
        # Else what looks at its values may read memory of others, or end there.
        table.validate(full=True)
        return table


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


def to_frame(table: pyarrow.Table) -> pd.DataFrame:
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
