"""Columns of a table as hashed features: numbers as they are, a feature for each level of a category."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher

from descend._arrow import as_numbers, as_words, refuse_compound
from descend.errors import InputError

# Of each row one feature: its column and its value.
Entries = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Encoding:
    """How rows of a table become features, targets and offsets: see `Blocks`, whose settings these are."""

    target: str | None
    hashed: int
    rows: int
    offset: str | None
    # What a missing number is, besides a level.
    missing: float = 0.0

    def names(self, schema: Any) -> list[str]:
        """The columns that are features."""
        return [name for name in schema.names if name not in (self.target, self.offset)]

    def features(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The features of each block, as a sparse matrix."""
        hasher = FeatureHasher(self.hashed, input_type="string")
        for batch in batches:
            names = self.names(batch.schema)
            columns = [_features(name, batch.column(name), hasher, self.missing) for name in names]
            yield _joined(columns, self.hashed)

    def places(self, names: list[str]) -> np.ndarray:
        """The features that columns of numbers are."""
        # Of no names the hasher makes an error.
        return _hashes(names, FeatureHasher(self.hashed, input_type="string"))[0] if names else np.zeros(0, np.int32)

    def parts(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The features of each block, and its targets and offsets, if it has such."""
        if self.target is None:
            yield from self.features(batches)
            return
        for batch in batches:
            (X,), y = self.features([batch]), targets(self.target, batch.column(self.target))
            yield (X, y) if self.offset is None else (X, y, offsets(self.offset, batch.column(self.offset)))

    def refuse(self, schema: Any, told: str) -> None:
        """Raises `InputError` for a schema that gives no features, or not the target or offset; `told`: of what."""
        for name in (self.target, self.offset):
            if name is not None and name not in schema.names:
                raise InputError(f"{told} has no column {name!r}: it has {', '.join(schema.names)}")
        if self.offset is not None and self.offset == self.target:
            raise InputError(f"the column {self.target!r} is both target and offset: name another one as offset")
        if not self.names(schema):
            raise InputError(f"{told} has no column to predict from: give a file that has some")
        for field in schema:
            refuse_compound(field)


def _features(name: str, column: Any, hasher: FeatureHasher, of_missing: float) -> list[Entries]:
    """A column of the table as features."""
    found = as_numbers(column)
    if found is None:
        return [_levels(name, column, hasher)]
    values = found.to_numpy(zero_copy_only=False)
    if np.isinf(values).any():
        raise InputError(f"column {name!r} has infinite values: remove those rows")
    (where,), (sign,) = _hashes([name], hasher)
    missing = np.isnan(values)
    entries = [(np.full(len(values), where), np.where(missing, of_missing, sign * values))]
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


def targets(name: str, column: Any) -> np.ndarray:
    """The targets of a block, of which none may be missing."""
    if column.null_count:
        raise InputError(f"the target {name!r} has missing values: remove those rows")
    if pyarrow.types.is_decimal(column.type) or pyarrow.types.is_duration(column.type):
        column = as_numbers(column)
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise InputError(f"the target {name!r} has values that are no numbers (NaN): remove those rows")
    return values


def target_numbers(y: np.ndarray, target: str) -> np.ndarray:
    """Targets of a regression; `target`: what they are called."""
    if y.dtype.kind not in "biuf":
        raise InputError(f"{target} is not a column of numbers: for labels take a classifier")
    if not np.isfinite(y).all():
        raise InputError(f"{target} has values that are not finite: remove those rows")
    return y.astype(np.float64)


def offsets(name: str, column: Any) -> np.ndarray:
    """The offsets of a block."""
    found = as_numbers(column)
    if found is None:
        raise InputError(f"the offset {name!r} is not a column of numbers: name another one")
    values = np.asarray(found.to_numpy(zero_copy_only=False), np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"the offset {name!r} has values that are missing or not finite: remove those rows")
    return values
