"""Parts of a table that are read for themselves, here or anywhere else: of files, and of Dask dataframes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np
import pyarrow
from pyarrow import dataset

from descend._blocks.hashing import Encoding
from descend._blocks.stores import Location, located
from descend.errors import InputError, reading

FILE_FORMATS = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv", ".feather": "feather", ".arrow": "ipc"}
# Of a part of a file, at least, where the file allows it: some seconds of work.
SHARD_ROWS = 2**18
T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """A part of a table, which gives blocks of its rows as often as it is iterated.

    `told`: what the table is called; `names`: the columns that are features.
    """

    encoding: Encoding
    told: str
    names: list[str]

    def __iter__(self) -> Iterator[Any]:
        return self.between(0, None)

    def between(self, first: int, last: int | None) -> Iterator[Any]:
        """Its blocks from number `first` on, before number `last`."""
        return self._read(lambda batches: self.encoding.parts(islice(batches, first, last)), None)

    def features(self) -> Iterator[Any]:
        """The features of each block alone."""
        return self._read(self.encoding.features, self.names)

    def column(self, name: str, numbers: Callable[[str, Any], np.ndarray]) -> Iterator[np.ndarray]:
        """What one column has in each block."""
        return self._read(lambda batches: (numbers(name, batch.column(0)) for batch in batches), [name])

    def _read(self, make: Callable[[Iterator[Any]], Iterator[Any]], columns: Sequence[str] | None) -> Iterator[Any]:
        """What is made of each block of these columns, or of all."""
        # Bytes that nobody wrote on purpose may be noticed as late as when something is made of them.
        with _reading(self.told, "cannot be read further"):
            yield from make(self.batches(columns))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The rows as they are, in blocks, of which each has some; these columns, or all."""
        raise NotImplementedError


@dataclass(frozen=True)
class FileShard(Shard):
    """The rows of a file, or of some of its row groups. `schema`: what columns are read as, in all files alike."""

    file: str
    schema: Any
    groups: tuple[int, ...] | None = None

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        (fragment,) = opened_file(self.file, self.told, self.schema).get_fragments()
        if self.groups is not None:
            fragment = fragment.subset(row_group_ids=self.groups)
        # Reading further ahead than by one block takes memory that grows with the file, and no less time.
        for batch in fragment.to_batches(schema=self.schema, columns=columns or self.schema.names,
                                         batch_size=self.encoding.rows, batch_readahead=1, fragment_readahead=1):
            if batch.num_rows:
                # Else what looks at its values may read, or end in, memory of others.
                batch.validate(full=True)
                yield batch


@dataclass(frozen=True)
class FrameShard(Shard):
    """The rows of a partition of a Dask dataframe: of pandas, or something that computes it."""

    frame: Any

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        frame = computed(self.frame)
        frame = frame if columns is None else frame[list(columns)]
        for start in range(0, len(frame), self.encoding.rows):
            yield as_batch(frame.iloc[start : start + self.encoding.rows])


def read_ahead(blocks: Iterable[T]) -> Iterator[T]:
    """The blocks, each read while the one before is worked on."""
    source = iter(blocks)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, source, None)
        while (block := coming.result()) is not None:
            coming = reader.submit(next, source, None)
            yield block


def is_dask(X: Any) -> bool:
    """Whether it is one of Dask's collections, or something that it has yet to compute."""
    return hasattr(X, "__dask_graph__")


def is_frame(X: Any) -> bool:
    """Whether it is a dataframe, of pandas or Dask."""
    return hasattr(X, "columns")


def computed(part: Any) -> Any:
    """A partition; whoever is not a worker computes it, by the scheduler that Dask is set to."""
    return part.compute() if is_dask(part) else part


def as_batch(frame: Any) -> Any:
    """Rows of pandas as Arrow has them; their index is no column."""
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    # Of frames that were joined, words lie in parts.
    return pyarrow.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)


def format_of(place: Location, told: str) -> str:
    """How a file, or the files of a folder, are written, by the ends of their names."""
    suffix = suffix_of(place)
    if suffix not in FILE_FORMATS:
        raise InputError(f"{told} ends in {suffix!r}: blocks are read from {', '.join(FILE_FORMATS)}")
    return FILE_FORMATS[suffix]


def suffix_of(place: Location) -> str:
    """The end of a file's name; of a folder, that of the first file that pyarrow does not skip."""
    names = [name for name in place.children() if name[0] not in "._"] if place.is_folder() else [place.inside]
    path = PurePath(*names[:1])
    return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix


def opened_file(file: str, told: str, schema: Any = None) -> Any:
    """A file as a dataset; `schema`: what its columns are read as, if not by its own."""
    place = located(file, told)
    if not place.exists():
        raise _no_file(told)
    kind = format_of(place, told)
    with _reading(told, f"is no readable {suffix_of(place)} file"):
        table = dataset.dataset(place.inside, schema=schema, filesystem=place.filesystem, format=kind)
        # Names that are no text.
        _ = table.schema.names
        return table


@contextmanager
def _reading(told: str, what: str) -> Iterator[None]:
    """Makes whatever goes wrong with a file an `InputError`; it may also go at any moment."""
    with reading(f"{told} {what}"):
        try:
            yield
        except FileNotFoundError:
            raise _no_file(told) from None


def _no_file(told: str) -> InputError:
    return InputError(f"there is no file {told}: check its name, and that whoever reads it sees the same folder")


def shards_of(file: str, told: str, encoding: Encoding, schema: Any, least: int = SHARD_ROWS) -> list[Shard]:
    """The parts of a file: row groups of Parquet, of which those below `least` rows are read together, or all of it."""
    names = encoding.names(schema)
    if format_of(located(file, told), told) != "parquet":
        return [FileShard(encoding, told, names, file, schema)]
    with _reading(told, "is no readable .parquet file"):
        (fragment,) = opened_file(file, told).get_fragments()
        rows = [group.num_rows for group in fragment.row_groups]
    return [FileShard(encoding, told, names, file, schema, groups) for groups in grouped(rows, least)]


def grouped(rows: Sequence[int], least: int = SHARD_ROWS) -> Iterator[tuple[int, ...]]:
    """Which row groups, of so many rows, are read together: neighbours, until they are enough."""
    found, total = list[int](), 0
    for number, count in enumerate(rows):
        found, total = [*found, number], total + count
        if total >= least:
            yield tuple(found)
            found, total = [], 0
    if found:
        yield tuple(found)
