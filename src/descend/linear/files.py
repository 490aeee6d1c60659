"""Files larger than memory as blocks of rows, for `fit` and `partial_fit`: numbers as they are, categories hashed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute, dataset
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher

from descend._arrow import as_numbers, as_words, refuse_compound
from descend.errors import InputError, reading

FILE_FORMATS = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv", ".feather": "feather", ".arrow": "ipc"}


@dataclass(frozen=True)
class Blocks:
    """The rows of a file in blocks of sparse features and targets, in the file's order, as often as it is iterated.

    Each number is a feature, each level of a category is one: features are hashed by their names (`column`, or
    `column=level`) into so many columns, some with a negative sign, so that nothing has to be known of the file
    beforehand and memory stays flat. A missing value of a category is a level of its own, a missing number is 0 and a
    level. Decimals are numbers, and so are dates, in days (with the time of day as their fraction), times of day and
    durations, in seconds.

    - `path`: a Parquet, CSV (gzipped or not), Feather or Arrow file, or a folder of such.
    - `target`: the column to predict, which is no feature; to predict from a file that does not have it, leave it out.
    - `hashed`: columns of the features. Up to 1,024, `partial_fit` learns from all that it has seen; beyond, by steps.
      To `fit` only those count that are not 0 everywhere.
    - `rows`: of a block, at most.
    - `offset`: a column of numbers that are added to the scores, and no feature; for estimators whose `fit` takes an
      offset. Iterated, it is a third part of each block.

    **Raises** `InputError` for a file that is not there or not readable, a target that it does not have, and columns
    of lists, structs or maps.

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

    path: str | Path
    target: str | None = None
    hashed: int = 2**18
    rows: int = 2**16
    offset: str | None = None

    def __iter__(self) -> Iterator[Any]:
        if self.target is None:
            yield from self.features()
            return
        table = self._opened()
        yield from self._each(table, table.schema.names, self._with_target)

    def _with_target(self, batch: Any) -> tuple[Any, ...]:
        """The features and targets of a block, and its offsets, if it has such."""
        parts = self._encoded(batch), _targets(str(self.target), batch.column(self.target))
        return parts if self.offset is None else (*parts, _offsets(self.offset, batch.column(self.offset)))

    def features(self) -> Iterator[Any]:
        """The features of each block alone: what the target is, and whether any is missing, makes no difference."""
        table = self._opened()
        yield from self._each(table, self._columns(table.schema), self._encoded)

    def targets(self) -> np.ndarray:
        """The target of each row."""
        name = self.target
        if name is None:
            raise InputError("the blocks have no target: a score needs Blocks(path, target)")
        found = list(self._each(self._opened(), [name], lambda batch: _targets(name, batch.column(0))))
        return np.concatenate(found or [np.array([])])

    def offsets(self) -> np.ndarray:
        """The offset of each row."""
        name = self.offset
        if name is None:
            raise InputError("the blocks have no offset: name its column, Blocks(…, offset=…)")
        found = list(self._each(self._opened(), [name], lambda batch: _offsets(name, batch.column(0))))
        return np.concatenate(found or [np.array([])])

    def _columns(self, schema: Any) -> list[str]:
        """The columns that are features."""
        return [name for name in schema.names if name not in (self.target, self.offset)]

    def _each(self, table: Any, columns: list[str], make: Callable[[Any], Any]) -> Iterator[Any]:
        """What is made of each block."""
        with reading(f"{str(self.path)!r} cannot be read further"):
            # Reading further ahead than by one block takes memory that grows with the file, and no less time.
            for batch in table.to_batches(columns=columns, batch_size=self.rows, batch_readahead=1,
                                          fragment_readahead=1):
                if batch.num_rows:
                    # Else what looks at its values may read, or end in, memory of others.
                    batch.validate(full=True)
                    yield make(batch)

    def _encoded(self, batch: Any) -> Any:
        hasher = FeatureHasher(self.hashed, input_type="string")
        names = self._columns(batch.schema)
        return _joined([_encoded(name, batch.column(name), hasher) for name in names], self.hashed)

    def _opened(self) -> Any:
        path = Path(self.path).expanduser()
        if not path.exists():
            raise InputError(f"there is no file {str(self.path)!r}: check its name")
        suffix = _suffix(path)
        if suffix not in FILE_FORMATS:
            raise InputError(f"{str(self.path)!r} ends in {suffix!r}: blocks are read from {', '.join(FILE_FORMATS)}")
        with reading(f"{str(self.path)!r} is no readable {suffix} file"):
            table = dataset.dataset(path, format=FILE_FORMATS[suffix])
            self._refuse(table.schema)
        return table

    def _refuse(self, schema: Any) -> None:
        """Raises `InputError` for a schema that gives no features, or not the target or offset."""
        for name in (self.target, self.offset):
            if name is not None and name not in schema.names:
                raise InputError(f"{str(self.path)!r} has no column {name!r}: it has {', '.join(schema.names)}")
        if self.offset is not None and self.offset == self.target:
            raise InputError(f"the column {self.target!r} is both target and offset: name another one as offset")
        if not self._columns(schema):
            raise InputError(f"{str(self.path)!r} has no column to predict from: give a file that has some")
        for field in schema:
            refuse_compound(field)


def _suffix(path: Path) -> str:
    """The end of a file's name; of a folder, that of the first file that pyarrow does not skip."""
    if path.is_dir():
        return next((_suffix(p) for p in sorted(path.iterdir()) if p.is_file() and p.name[0] not in "._"), "")
    return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix


# Of each row one feature: its column and its value.
Entries = tuple[np.ndarray, np.ndarray]


def _encoded(name: str, column: Any, hasher: FeatureHasher) -> list[Entries]:
    """A column of the file as features."""
    found = as_numbers(column)
    if found is None:
        return [_levels(name, column, hasher)]
    values = found.to_numpy(zero_copy_only=False)
    if np.isinf(values).any():
        raise InputError(f"column {name!r} has infinite values: remove those rows")
    (where,), (sign,) = _hashes([name], hasher)
    missing = np.isnan(values)
    entries = [(np.full(len(values), where), np.where(missing, 0.0, sign * values))]
    if missing.any():
        (where,), (sign,) = _hashes([f"{name}="], hasher)
        entries.append((np.full(len(values), where), np.where(missing, sign, 0.0)))
    return entries


def _levels(name: str, column: Any, hasher: FeatureHasher) -> Entries:
    """A category: each level is hashed once in a block."""
    if not pyarrow.types.is_dictionary(column.type):
        column = compute.dictionary_encode(as_words(name, column))
    levels = [f"{name}={level}" for level in column.dictionary.to_pylist()] + [f"{name}="]
    where, sign = _hashes(levels, hasher)
    codes = compute.fill_null(column.indices, len(levels) - 1).to_numpy(zero_copy_only=False)
    return where[codes], sign[codes]


def _hashes(names: list[str], hasher: FeatureHasher) -> Entries:
    """Column and sign of each feature."""
    found = hasher.transform([[name] for name in names]).tocsr()
    return found.indices, found.data


def _joined(columns: list[list[Entries]], width: int) -> Any:
    """Rows in compressed form, from their features."""
    entries = [entry for column in columns for entry in column]
    where = np.column_stack([indices for indices, _ in entries]).astype(np.int32)
    values = np.column_stack([data for _, data in entries])
    ends = np.arange(0, values.size + 1, len(entries))
    X = sparse.csr_array((values.ravel(), where.ravel(), ends), shape=(len(where), width))
    X.sum_duplicates()
    return X


def _targets(name: str, column: Any) -> np.ndarray:
    if column.null_count:
        raise InputError(f"the target {name!r} has missing values: remove those rows")
    if pyarrow.types.is_decimal(column.type) or pyarrow.types.is_duration(column.type):
        column = as_numbers(column)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _offsets(name: str, column: Any) -> np.ndarray:
    found = as_numbers(column)
    if found is None:
        raise InputError(f"the offset {name!r} is not a column of numbers: name another one")
    values = np.asarray(found.to_numpy(zero_copy_only=False), np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"the offset {name!r} has values that are missing or not finite: remove those rows")
    return values
