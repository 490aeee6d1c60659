"""Files larger than memory as blocks of rows, for `fit` and `partial_fit`: numbers as they are, categories hashed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute, dataset
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher

from descend.errors import InputError

FORMATS = {".parquet": "parquet", ".csv": "csv", ".feather": "feather", ".arrow": "ipc"}


@dataclass(frozen=True)
class Blocks:
    """The rows of a file in blocks of sparse features and targets, in the file's order, as often as it is iterated.

    Each number is a feature, each level of a category is one: features are hashed by their names (`column`, or
    `column=level`) into so many columns, some with a negative sign, so that nothing has to be known of the file
    beforehand and memory stays flat. A missing value of a category is a level of its own, a missing number is 0 and a
    level. Dates are numbers, in days.

    - `path`: a Parquet, CSV, Feather or Arrow file, or a folder of such.
    - `target`: the column to predict; without it the blocks are features alone, to predict from.
    - `hashed`: columns of the features. Up to 1,024, `partial_fit` learns from all that it has seen; beyond, by steps.
      To `fit` only those count that are not 0 everywhere.
    - `rows`: of a block, at most.

    **Raises** `InputError` for a file that is not there or not readable, and a target that it does not have.

    >>> import pathlib, tempfile
    >>> from descend.linear import LogisticRegression
    >>> path = pathlib.Path(tempfile.mkdtemp(), "late.csv")
    >>> _ = path.write_text("city,distance,late\\n" + "Rome,0.4,1\\nOslo,0.1,0\\n" * 50)
    >>> model = LogisticRegression().fit(Blocks(path, "late"))  # a few passes over the file, to a certified minimum
    >>> model.stop_reason_.name, model.predict(next(iter(Blocks(path)))[:2])
    ('converged', array([1, 0]))
    >>> for X, y in Blocks(path, "late"):  # or one pass
    ...     _ = model.partial_fit(X, y)

    Reference: Weinberger, Dasgupta, Langford, Smola and Attenberg (2009), "Feature hashing for large scale multitask
    learning".
    """

    path: str | Path
    target: str | None = None
    hashed: int = 2**18
    rows: int = 2**16

    def __iter__(self) -> Iterator[Any]:
        table = self._opened()
        hasher = FeatureHasher(self.hashed, input_type="string")
        features = [name for name in table.schema.names if name != self.target]
        try:
            # Reading further ahead than by one block takes memory that grows with the file, and no less time.
            for batch in table.to_batches(columns=features + [self.target] * (self.target is not None),
                                          batch_size=self.rows, batch_readahead=1, fragment_readahead=1):
                if batch.num_rows == 0:
                    continue
                X = _joined([_encoded(name, batch.column(name), hasher) for name in features], self.hashed)
                yield X if self.target is None else (X, _targets(self.target, batch.column(self.target)))
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise InputError(f"{str(self.path)!r} cannot be read further: {_first_line(error)}") from None

    def _opened(self) -> Any:
        path = Path(self.path).expanduser()
        if not path.exists():
            raise InputError(f"there is no file {str(self.path)!r}: check its name")
        suffix = path.suffix if path.is_file() else next((p.suffix for p in sorted(path.iterdir())), "")
        if suffix not in FORMATS:
            raise InputError(f"{str(self.path)!r} ends in {suffix!r}: blocks are read from {', '.join(FORMATS)}")
        try:
            table = dataset.dataset(path, format=FORMATS[suffix])
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise InputError(f"{str(self.path)!r} is no readable {suffix} file: {_first_line(error)}") from None
        if self.target is not None and self.target not in table.schema.names:
            raise InputError(f"{str(self.path)!r} has no column {self.target!r}: it has "
                             f"{', '.join(table.schema.names)}")
        return table


Entries = tuple[np.ndarray, np.ndarray]  # of each row one feature: its column and its value


def _encoded(name: str, column: Any, hasher: FeatureHasher) -> list[Entries]:
    """A column of the file as features."""
    kind = column.type
    if pyarrow.types.is_temporal(kind) and not pyarrow.types.is_duration(kind):
        seconds = compute.cast(compute.cast(column, pyarrow.timestamp("s"), safe=False), pyarrow.int64())
        column, kind = compute.divide(compute.cast(seconds, pyarrow.float64()), 86_400.0), pyarrow.float64()
    if pyarrow.types.is_boolean(kind):
        column, kind = compute.cast(column, pyarrow.int8()), pyarrow.int8()
    if not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)):
        return [_levels(name, column, hasher)]
    values = column.to_numpy(zero_copy_only=False).astype(np.float64)
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
        column = compute.dictionary_encode(compute.cast(column, pyarrow.string()))
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
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
