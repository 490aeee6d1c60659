"""The files of a table larger than memory, and some of their rows as `Blocks`."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow
from pyarrow import types

from descend._arrow import holds_numbers, refuse_other_columns
from descend._blocks.files import Blocks, Table
from descend._blocks.hashing import Encoding
from descend._blocks.shards import FILE_FORMATS, SHARD_ROWS, FileShard, Shard, opened_file, shards_of
from descend.errors import InputError, reading
from descend.tasks.blocks.partitions import Told, ToldShard, fields_of, told_of
from descend.tasks.common.asked import refuse_unknown_column
from descend.tasks.common.columns import listing
from descend.tasks.common.patterns import files_of, name_of, paths_of
from descend.tasks.common.sources import how_large

# What is made of a block, given the number of its first row.
Made: TypeAlias = Callable[[int, pyarrow.RecordBatch], pyarrow.RecordBatch]
# Of a part of a file: its name, and its first row group.
Place: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class TableFiles:
    """The files of a table, one below another. `source`: what somebody called them. `folders`: what those above each
    file tell of its rows."""

    source: str
    paths: tuple[Path, ...]
    folders: tuple[Told, ...]

    @classmethod
    def of(cls, source: str) -> "TableFiles":
        """Those of a source.

        **Raises** `InputError` for files that are not read block by block, and folders that tell different columns.
        """
        paths = tuple(path.absolute() for path in paths_of(source))
        for path in paths:
            if not path.name.lower().endswith(tuple(FILE_FORMATS)):
                raise InputError(f"{str(path)!r} is not read block by block, as it must be: what is so are "
                                 f"{', '.join(FILE_FORMATS)}; write it as Parquet")
        return cls(source, paths, told_of(paths, Path(source).expanduser().absolute()))

    @property
    def name(self) -> str:
        """What to call the table: as the folder that files are in, or as its only file."""
        return name_of(self.source) if files_of(self.source) else self.paths[0].name.partition(".")[0] or "table"

    @property
    def told(self) -> str:
        """That it is read block by block, and what is different therefore."""
        return (f"{self.name} {how_large(self.paths)}, so it is read block by block: columns are what their types say, "
                "dates are days, and words are hashed")

    @cached_property
    def digest(self) -> str:
        """A digest of what the files hold."""
        whole = hashlib.sha256()
        for path, told in zip(self.paths, self.folders, strict=True):
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
            whole.update(json.dumps(told).encode() * bool(told))
        return whole.hexdigest()

    @cached_property
    def schema(self) -> pyarrow.Schema:
        """The columns, as the first file has them, and those that folders tell.

        **Raises** `InputError` for a file that cannot be read, or whose columns are not those of the first, or are told
        by folders, too.
        """
        schemas = [opened_file(str(path), repr(str(path))).schema for path in self.paths]
        for path, schema in zip(self.paths, schemas, strict=True):
            refuse_other_columns(repr(str(path)), schema, schemas[0])
        told = fields_of(self.folders)
        if both := [each.name for each in told if each.name in schemas[0].names]:
            raise InputError(f"{listing(both)} of {self.name} is a column of the files, and told by their folders: "
                             "have one of these")
        return pyarrow.schema([*schemas[0], *told])

    def refuse_unknown(self, names: Sequence[str]) -> None:
        """Raises `InputError` for a column that there is none of."""
        for name in names:
            refuse_unknown_column(name, self.schema.names, self.name)

    def refuse_other_kinds(self, names: Sequence[str], first: pyarrow.Schema) -> None:
        """Raises `InputError` for a column of words where another table has numbers, or the other way round."""
        for name in names:
            here, there = self.schema.field(name).type, first.field(name).type
            if holds_numbers(here) != holds_numbers(there) and not types.is_null(here):
                raise InputError(f"column {name!r} of {self.name} holds {here}, and {there} in what was learnt from: "
                                 "write it alike")

    def shards(self, encoding: Encoding, columns: Sequence[str], least: int) -> list[FileShard]:
        """The parts of the files, with these columns alone."""
        schema = self.schema_of(columns)
        return [ToldShard.of(shard, told) for path, told in zip(self.paths, self.folders, strict=True)
                for shard in shards_of(str(path), repr(str(path)), encoding, schema, least)
                if isinstance(shard, FileShard)]

    def schema_of(self, columns: Sequence[str]) -> pyarrow.Schema:
        """These columns alone."""
        return pyarrow.schema([self.schema.field(name) for name in columns])


def begin_of(shard: FileShard) -> Place:
    """Where in the files it is."""
    return shard.file, shard.groups[0] if shard.groups else 0


def batches_in(shard: Shard) -> Iterator[pyarrow.RecordBatch]:
    """Its rows as they are, in blocks.

    **Raises** `InputError` for a file that is damaged.
    """
    with reading(f"{shard.told} cannot be read further"):
        yield from shard.batches()


def as_it_is(_first: int, batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """The same block."""
    return batch


@dataclass(frozen=True)
class SomeRows(Blocks):
    """Some rows, and some columns, of files.

    `starts`: the number of the first row of each part. `made`: what is made of a block, such as fewer rows, or targets
    that are numbers. `seen`: is told of how many rows were read.
    """

    files: TableFiles = field(kw_only=True)
    columns: tuple[str, ...] = field(kw_only=True)
    starts: Mapping[Place, int] = field(default_factory=dict, kw_only=True)
    made: Made = field(default=as_it_is, kw_only=True)
    seen: Callable[[int], None] = field(default=lambda _: None, kw_only=True)

    def table(self, encoding: Encoding, least: int = SHARD_ROWS) -> Table:
        schema = self.files.schema_of(self.columns)
        encoding.refuse(schema, self.told)
        names = encoding.names(schema)
        return Table(schema, [SomeOfShard(encoding, shard.told, names, shard, self.starts.get(begin_of(shard), 0),
                                          self.made, self.seen)
                              for shard in self.files.shards(encoding, self.columns, least)])


@dataclass(frozen=True)
class SomeOfShard(Shard):
    """Some rows of a part of a file; see `SomeRows`. `first`: the number of its first row."""

    whole: Shard
    first: int
    made: Made
    seen: Callable[[int], None]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        first = self.first
        for batch in self.whole.batches():
            made = self.made(first, batch)
            first += batch.num_rows
            self.seen(batch.num_rows)
            if made.num_rows:
                yield made if columns is None else made.select(columns)


@dataclass(frozen=True)
class GivenRows(Blocks):
    """Rows in memory, as they were read."""

    rows_given: pyarrow.Table = field(kw_only=True)

    def table(self, encoding: Encoding, least: int = SHARD_ROWS) -> Table:
        schema = self.rows_given.schema
        return Table(schema, [GivenShard(encoding, self.told, encoding.names(schema), self.rows_given)])


@dataclass(frozen=True)
class GivenShard(Shard):
    """All of these rows."""

    given: pyarrow.Table

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        table = self.given if columns is None else self.given.select(columns)
        yield from table.to_batches(max_chunksize=self.encoding.rows)
