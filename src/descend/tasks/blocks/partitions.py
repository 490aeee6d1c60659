"""Columns that folders tell of the files in them, as in `flights/year=2024/part-0.parquet`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow

from descend._blocks.shards import FileShard
from descend.errors import InputError
from descend.tasks.common.columns import listing
from descend.tasks.common.patterns import told_by_folders

# What the folders above a file tell: names, and what they are in all of its rows.
Told: TypeAlias = tuple[tuple[str, str | None], ...]
# As whole numbers are written; "01" is a word.
WHOLE = re.compile("0|-?[1-9][0-9]{0,17}")


def told_of(paths: Sequence[Path], source: Path) -> tuple[Told, ...]:
    """What the folders between a source and each of its files tell.

    **Raises** `InputError` where some tell other columns than the first.
    """
    every = tuple(tuple(told_by_folders(path, source).items()) for path in paths)
    first = sorted(name for name, _ in every[0])
    for path, told in zip(paths, every, strict=True):
        if sorted(name for name, _ in told) != first:
            raise InputError(f"the folders of {str(path)!r} tell {listing([name for name, _ in told]) or 'no column'}, "
                             f"and those of the first file {listing(first) or 'none'}: all must tell the same")
    return every


def fields_of(every: Sequence[Told]) -> list[pyarrow.Field]:
    """The columns that are told: of whole numbers where all are such, and else of words."""
    values: dict[str, list[str]] = {name: [] for name, _ in every[0]}
    for name, value in (each for told in every for each in told):
        values[name] += [] if value is None else [value]
    return [pyarrow.field(name, pyarrow.int64() if all(map(WHOLE.fullmatch, found)) else pyarrow.string())
            for name, found in values.items()]


@dataclass(frozen=True)
class ToldShard(FileShard):
    """A part of a file, with columns that have one value in all of its rows."""

    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, shard: FileShard, told: Told) -> FileShard:
        """A part of a file of which this is told."""
        named = dict(told)
        values = {each.name: pyarrow.scalar(named[each.name], pyarrow.string()).cast(each.type)
                  for each in shard.schema if each.name in named}
        return cls(**vars(shard), values=values) if values else shard

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        # What a file does not have is read as missing.
        for batch in super().batches(columns):
            whole = batch
            for place, each in enumerate(batch.schema):
                if each.name in self.values:
                    whole = whole.set_column(place, each, pyarrow.repeat(self.values[each.name], batch.num_rows))
            yield whole
