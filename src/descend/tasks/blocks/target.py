"""What is to be predicted, as the whole of a table tells it; and how its column becomes what is learnt from."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
from pyarrow import compute, types

from descend._arrow import as_numbers, as_words
from descend.errors import InputError
from descend.tasks.common.parsing import MAY_BE_MEANT, as_text
from descend.tasks.common.settings import TaskKind
from descend.tasks.common.target import Target, find_target, refuse_useless

# Different values that are counted; of more, numbers are measured, and words are no classes.
MOST_VALUES = 1000
# Rows by which it is settled what a target asks for, each value in its share.
TOLD_ROWS = 100_000


def values_of(name: str, column: Any) -> Any:
    """The values of a target: truth values, numbers or words; missing where they are no numbers.

    **Raises** `InputError` for dates and times of day.
    """
    kind = column.type
    if types.is_date(kind) or types.is_timestamp(kind) or types.is_time(kind):
        raise InputError(f"target {name!r} holds dates: make a number of them first, such as days from a start")
    if types.is_boolean(kind) or types.is_integer(kind):
        return column
    numbers = as_numbers(column)
    if numbers is None:
        return as_words(name, column)
    if compute.any(compute.is_inf(numbers)).as_py():
        raise InputError(f"target {name!r} has infinite values: remove those rows")
    # A number that is none is missing.
    return compute.if_else(compute.is_nan(numbers), None, numbers)


@dataclass
class Tally:
    """What is seen of a target, block by block. `counts`: of each value, while these are not too many."""

    name: str
    counts: Counter[Any] = field(default_factory=Counter)
    kind: Any = None
    rows: int = 0
    total: float = 0.0

    def add(self, column: Any) -> None:
        """More rows."""
        values = values_of(self.name, column).drop_null()
        self.kind, self.rows = values.type, self.rows + len(values)
        if not types.is_string(self.kind):
            self.total += compute.sum(compute.cast(values, pyarrow.float64())).as_py() or 0.0
        if not self.is_measured:
            for each in compute.value_counts(values).to_pylist():
                self.counts[each["values"]] += each["counts"]
        if self.is_measured and types.is_string(self.kind):
            raise InputError(f"target {self.name!r} has more than {MOST_VALUES:,} different words: they are no classes")

    @property
    def is_measured(self) -> bool:
        """Whether there are more values than a target has classes."""
        return len(self.counts) > MOST_VALUES

    def target(self, kind: TaskKind | None) -> Target:
        """What the target asks for, by the rules for tables in memory.

        **Raises** `InputError` for one that nothing can be learnt of.
        """
        if self.is_measured:
            counted = f"more than {MOST_VALUES:,} different values in {self.rows:,} rows"
            if kind == "classes":
                raise InputError(f"target {self.name!r} has {counted}: these are no classes")
            return Target("regression", (), f"{'as asked' if kind else 'numbers'}: {counted}")
        counts = np.array(list(self.counts.values()), np.int64)
        share = min(1.0, TOLD_ROWS / max(self.rows, 1))
        # One of a kind stays one, and others stay several.
        some = np.maximum(np.minimum(counts, 2), (share * counts).astype(np.int64))
        values = pd.Series(self.values.to_pandas(), name=self.name).repeat(some.tolist()).reset_index(drop=True)
        if types.is_string(self.kind):
            values = as_text(values, MAY_BE_MEANT).dropna()
        refuse_useless(values, self.name)
        return find_target(values, kind, self.rows)

    @property
    def values(self) -> Any:
        """Those that were counted."""
        return pyarrow.array(list(self.counts), self.kind or pyarrow.null())

    def codes(self, target: Target) -> "Codes":
        """How these values become what is learnt from."""
        if not target.classes:
            return Codes(self.name)
        places = self._texts().map({name: place for place, name in enumerate(target.classes)}).fillna(-1)
        return Codes(self.name, self.values, places.to_numpy(np.int32))

    def unknown(self, target: Target) -> str:
        """A value that is none of the classes; "" where there is none such."""
        texts = self._texts().dropna() if target.classes else pd.Series([], dtype=object)
        return next(iter(texts[~texts.isin(target.classes)]), "")

    def _texts(self) -> pd.Series:
        """The values as classes are called."""
        return as_text(pd.Series(self.values.to_pandas()), MAY_BE_MEANT)


@dataclass(frozen=True)
class Codes:
    """How a target becomes what is learnt from: numbers as they are; of classes, the number of the class of each of
    `values`, −1 for what is none."""

    name: str
    values: Any = None
    places: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    def of(self, column: Any) -> np.ndarray:
        """The target of each row: NaN, or −1, where there is none."""
        values = values_of(self.name, column)
        if self.values is None:
            return np.asarray(values.cast(pyarrow.float64()).to_numpy(zero_copy_only=False), np.float64)
        found = compute.fill_null(compute.index_in(values, value_set=self.values, skip_nulls=True), len(self.places))
        return np.append(self.places, -1).astype(np.int32)[found.to_numpy(zero_copy_only=False)]

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Which rows have one."""
        return ~np.isnan(targets) if self.values is None else targets >= 0

    def rows_with_one(self, _first: int, batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        """The rows of a block that have one, written as what is learnt from."""
        targets = self.of(batch.column(self.name))
        return self.written(batch, targets).filter(pyarrow.array(self.known(targets)))

    def written(self, batch: pyarrow.RecordBatch, targets: np.ndarray) -> pyarrow.RecordBatch:
        """The block with these targets in its column."""
        return batch.set_column(batch.schema.get_field_index(self.name), self.name, pyarrow.array(targets))
