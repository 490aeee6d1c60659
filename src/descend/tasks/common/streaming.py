"""Tables that are written block by block."""

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow
from pyarrow import csv, parquet

from descend._files import writing_atomically
from descend.errors import InputError

# What makes, of a file and a schema, something that blocks are written by.
Writer: TypeAlias = Callable[[Any, pyarrow.Schema], Any]
WRITERS: dict[str, Writer] = {".csv": csv.CSVWriter, ".parquet": parquet.ParquetWriter}


def is_written_in_blocks(path: Path) -> bool:
    """Whether a file of this name is written block by block."""
    return path.suffix.lower() in WRITERS


def write_blocks(blocks: Iterable[pyarrow.RecordBatch], path: Path) -> int:
    """Write blocks below each other, all of them or nothing; how many rows that are.

    **Raises** `InputError` if the file cannot be written.
    """
    try:
        with writing_atomically(path) as file:
            return pass_blocks(blocks, file, path.suffix.lower())
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def pass_blocks(blocks: Iterable[pyarrow.RecordBatch], file: Any, suffix: str) -> int:
    """Give blocks to what bytes are written to, in the form of files that end so; how many rows that are."""
    source, rows = iter(blocks), 0
    first = next(source)
    with WRITERS[suffix](file, first.schema) as writer:
        for block in chain([first], source):
            writer.write_batch(block)
            rows += block.num_rows
    return rows
