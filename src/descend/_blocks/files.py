"""Files larger than memory as blocks of rows, for `fit` and `partial_fit`: numbers as they are, categories hashed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from pyarrow import dataset

from descend._arrow import refuse_other_columns
from descend._blocks.hashing import Encoding, offsets, targets
from descend._blocks.shards import (
    SHARD_ROWS,
    FrameShard,
    Shard,
    as_batch,
    format_of,
    is_dask,
    is_frame,
    opened_file,
    shards_of,
)
from descend._blocks.stores import located
from descend.errors import InputError, reading


class Table(NamedTuple):
    """The columns of a table, as Arrow has them, and its rows in parts that are read for themselves."""

    schema: Any
    shards: Sequence[Shard]


@dataclass(frozen=True)
class Blocks:
    """The rows of files in blocks of sparse features and targets, in the files' order, as often as it is iterated.

    Each number is a feature, each level of a category is one: features are hashed by their names (`column`, or
    `column=level`) into so many columns, some with a negative sign, so that nothing has to be known of the file
    beforehand and memory stays flat. A missing value of a category is a level of its own, a missing number is 0 and a
    level. Decimals are numbers, and so are dates, in days (with the time of day as their fraction), times of day and
    durations, in seconds.

    - `path`: a Parquet, CSV (gzipped or not), Feather or Arrow file, a folder of such, or a pattern of their names, as
      `"data/*.parquet"`. Several files are one table, in the order of their names: all have the columns of the first.
      Or a dataframe, of pandas or Dask; of the latter, a partition at a time is held in memory.
      Or an address with a scheme, as `"s3://bucket/*.parquet"`: it is read through fsspec, which finds keys in the
      environment (`pip install 'descend[stores]'`, and what is needed for that scheme, such as s3fs).
    - `target`: the column to predict, which is no feature; to predict from a file that does not have it, leave it out.
    - `hashed`: columns of the features. Up to 1,024, `partial_fit` learns from all that it has seen; beyond, by steps.
      To `fit` only those count that are not 0 everywhere.
    - `rows`: of a block, at most.
    - `offset`: a column of numbers that are added to the scores, and no feature; for estimators whose `fit` takes an
      offset. Iterated, it is a third part of each block.

    **Raises** `InputError` for a file that is not there or not readable, a target that it does not have, columns of
    lists, structs or maps, and files whose columns differ.

    >>> import pathlib, tempfile
    >>> from descend.linear import LogisticRegression
    >>> path = pathlib.Path(tempfile.mkdtemp(), "late.csv")
    >>> _ = path.write_text("city,distance,late\\n" + "Rome,0.4,1\\nOslo,0.1,0\\n" * 50)
    >>> model = LogisticRegression().fit(Blocks(path, "late"))  # a few passes over the file, to a certified minimum
    >>> model.stop_reason_.name, model.predict(Blocks(path, "late"))[:2], model.score(Blocks(path, "late"))
    ('converged', array([1, 0]), 1.0)
    >>> for X, y in Blocks(path, "late"):  # or one pass
    ...     _ = model.partial_fit(X, y)

    Reference: Weinberger, Dasgupta, Langford, Smola and Attenberg (2009), "Feature hashing for large scale multitask
    learning".
    """

    path: Any
    target: str | None = None
    hashed: int = 2**18
    rows: int = 2**16
    offset: str | None = None

    def __iter__(self) -> Iterator[Any]:
        for shard in self.shards():
            yield from shard

    @property
    def told(self) -> str:
        """What it is called in messages."""
        return "the dataframe" if is_frame(self.path) else repr(str(self.path))

    @property
    def encoding(self) -> Encoding:
        """How its rows become features."""
        return Encoding(self.target, self.hashed, self.rows, self.offset)

    def shards(self) -> Sequence[Shard]:
        """The rows in parts that are read for themselves, in their order."""
        return self.table(self.encoding).shards

    def table(self, encoding: Encoding, least: int = SHARD_ROWS) -> "Table":
        """Its columns, and its rows in parts; of row groups, those below `least` rows are read together."""
        if is_frame(self.path):
            return self._table_of_frame(encoding)
        files = self._files()
        schemas = [opened_file(file, self._told(file)).schema for file in files]
        encoding.refuse(schemas[0], self._told(files[0]))
        for file, schema in zip(files, schemas, strict=True):
            refuse_other_columns(self._told(file), schema, schemas[0])
        return Table(schemas[0], [shard for file in files for shard in shards_of(file, self._told(file), encoding,
                                                                                 schemas[0], least)])

    def _table_of_frame(self, encoding: Encoding) -> "Table":
        lazy = is_dask(self.path)
        schema = as_batch(self.path._meta_nonempty if lazy else self.path.iloc[:0]).schema
        encoding.refuse(schema, self.told)
        names = encoding.names(schema)
        parts = self.path.to_delayed() if lazy else [self.path]
        return Table(schema, [FrameShard(encoding, self.told, names, part) for part in parts])

    def features(self) -> Iterator[Any]:
        """The features of each block alone: what the target is, and whether any is missing, makes no difference."""
        for shard in self.shards():
            yield from shard.features()

    def targets(self) -> np.ndarray:
        """The target of each row."""
        if self.target is None:
            raise InputError("the blocks have no target: a score needs Blocks(path, target)")
        return self._whole(self.target, targets)

    def offsets(self) -> np.ndarray:
        """The offset of each row."""
        if self.offset is None:
            raise InputError("the blocks have no offset: name its column, Blocks(…, offset=…)")
        return self._whole(self.offset, offsets)

    def _whole(self, name: str, numbers: Callable[[str, Any], np.ndarray]) -> np.ndarray:
        """What a column has in all rows."""
        found = [part for shard in self.shards() for part in shard.column(name, numbers)]
        return np.concatenate(found or [np.array([])])

    def _files(self) -> list[str]:
        """Which files it is, by their whole names."""
        place = located(self.path, self.told)
        is_there = place.exists()
        if set("*?[") & set(str(self.path)) and not is_there:
            if not (files := place.matching()):
                raise InputError(f"no file has a name like {self.told}: check the pattern")
            return files
        if not is_there:
            raise InputError(f"there is no file {self.told}: check its name")
        kind = format_of(place, self.told)
        if not place.is_folder():
            return [place.name]
        with reading(f"{self.told} is no folder of {kind} files"):
            found = dataset.dataset(place.inside, filesystem=place.filesystem, format=kind).files
        return list(map(place.whole, found))

    def _told(self, file: str) -> str:
        """A file's name in messages: as it was given, if it is the only one."""
        return self.told if located(self.path, self.told).name == file else repr(file)
