"""Rows that are drawn by their numbers, to be kept out of what is learnt from."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow

from descend._shuffle import mixed

# Rows that are drawn, at most.
MOST_ROWS = 2**15
# What is added to a seed, so that rows are held out by other numbers than they are shuffled by.
HOLDING_OUT = np.uint32(0x51CA7E)
SPAN = 2**32


@dataclass(frozen=True)
class Lot:
    """The rows whose number has a hash among the lowest, or the highest: so many of `SPAN`, by a seed."""

    seed: int
    share: int
    is_lowest: bool = True

    def has(self, numbers: np.ndarray) -> np.ndarray:
        """Which rows are drawn."""
        with np.errstate(over="ignore"):
            key = mixed(np.asarray(self.seed % SPAN, np.uint32) + HOLDING_OUT)
            drawn = mixed(mixed(numbers.astype(np.uint32)) + key)
        return drawn < self.share if self.is_lowest else drawn >= SPAN - self.share


@dataclass
class RowsOfLot:
    """The rows of a lot, which becomes half as many wherever they are too many."""

    lot: Lot
    _kept: list[tuple[np.ndarray, pyarrow.RecordBatch]] = field(default_factory=list)

    def add(self, first: int, batch: pyarrow.RecordBatch) -> None:
        """More rows; `first`: the number of the first of them."""
        self._kept.append(self._of(np.arange(first, first + batch.num_rows), batch))
        while sum(len(numbers) for numbers, _ in self._kept) > MOST_ROWS:
            self.lot = replace(self.lot, share=self.lot.share // 2)
            self._kept = [self._of(*part) for part in self._kept]

    def rows(self, schema: pyarrow.Schema) -> Any:
        """All of them, as they were read."""
        return pyarrow.Table.from_batches([batch for _, batch in self._kept], schema)

    def _of(self, numbers: np.ndarray, batch: pyarrow.RecordBatch) -> tuple[np.ndarray, pyarrow.RecordBatch]:
        mask = self.lot.has(numbers)
        return numbers[mask], batch.filter(pyarrow.array(mask))
