"""Rows of hashed features as a network takes them: numbers centred and scaled, and of levels those that were seen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from descend._arrow import holds_numbers
from descend._blocks.files import Blocks, Table
from descend._facts import Facts, checked_array
from descend.errors import InputError
from descend.neural._sparse_rows import SparseRows, is_shorter

# What a missing number is in rows until it is centred: none, so that it does not count for a mean.
MISSING = np.nan


def table_of(blocks: Blocks) -> Table:
    """Its parts as a network learns from them: each row group by itself, missing numbers as `MISSING`."""
    return blocks.table(replace(blocks.encoding, missing=MISSING), least=1)


@dataclass(frozen=True)
class HashedRows:
    """How hashed features become inputs: a column for each of those that differ among the rows.

    A number is centred and divided by its spread, where it is missing its mean; a level is what it was hashed to, 1 or
    −1. `kinds`: whether a column of the table has numbers, by name. `width`: hashed features there are. `columns`:
    those that are inputs; `is_number`, `mean`, `scale`: of these. `longest`: inputs of a row that are not 0, at most.
    """

    kinds: Mapping[str, bool]
    width: int
    columns: np.ndarray
    is_number: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    longest: int

    def of(self, X: Any) -> SparseRows | np.ndarray:
        """Rows of a sparse matrix; as it costs less, by their inputs that are not 0, or with all zeros."""
        where = self._place[X.indices]
        kept = (where >= 0) & (self.is_number[where] | (X.data != 0))
        ends = np.concatenate([[0], np.cumsum(kept)])[X.indptr]
        where = where[kept]
        values = (X.data[kept] - self.mean[where]) / self.scale[where]
        values[np.isnan(values)] = 0.0
        rows = sparse.csr_array((values, where, ends), shape=(X.shape[0], len(self.columns)))
        if is_shorter(self.longest, len(self.columns)):
            return SparseRows.of(rows, self.longest)
        return rows.toarray().astype(np.float32)

    @property
    def row_bytes(self) -> int:
        """Of the inputs of a row, as the network takes them."""
        columns = len(self.columns)
        return 8 * self.longest if is_shorter(self.longest, columns) else 4 * columns

    @cached_property
    def _place(self) -> np.ndarray:
        """Of each hashed feature, which input it is; −1 for none."""
        place = np.full(self.width, -1, np.int32)
        place[self.columns] = np.arange(len(self.columns))
        return place

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What there is to keep besides means and spreads, as facts for JSON, and arrays by name."""
        named = {what: [name for name, number in self.kinds.items() if number == (what == "numbers")]
                 for what in ("numbers", "words")}
        is_number = self.is_number.astype(np.int8)
        return named | {"longest": self.longest}, {"inputs/columns": self.columns, "inputs/numbers": is_number}

    @classmethod
    def of_parts(cls, told: Facts, arrays: dict[str, np.ndarray], width: int, mean: np.ndarray, scale: np.ndarray
                 ) -> "HashedRows":
        """What `parts` gave, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """
        kinds = dict.fromkeys(told.texts("numbers"), True) | dict.fromkeys(told.texts("words"), False)
        columns = checked_array(arrays, "inputs/columns", told.where, mean.shape, "i")
        is_number = checked_array(arrays, "inputs/numbers", told.where, mean.shape, "i") != 0
        if not (len(columns) and columns[0] >= 0 and columns[-1] < width and (np.diff(columns) > 0).all()):
            told.refuse("inputs/columns", f"different columns of {width}, in order", columns)
        return cls(kinds, width, columns, is_number, mean, scale, told.whole("longest", 1))

    def refuse_other(self, blocks: Blocks, table: Table) -> None:
        """Raises `InputError` for a table without the columns that were fitted to, or that is hashed otherwise."""
        if blocks.hashed != self.width:
            raise InputError(f"the blocks are hashed into {blocks.hashed:,} columns, and those of the fit were into "
                             f"{self.width:,}: give Blocks(…, hashed={self.width})")
        for name, is_number in self.kinds.items():
            if name not in table.schema.names:
                raise InputError(f"{blocks.told} has no column {name!r}, which the fit had: give a table with it")
            kind = table.schema.field(name).type
            if holds_numbers(kind) != is_number and str(kind) != "null":
                raise InputError(f"column {name!r} of {blocks.told} holds {kind}, and in the fit it had "
                                 f"{'numbers' if is_number else 'words'}: write it alike")
