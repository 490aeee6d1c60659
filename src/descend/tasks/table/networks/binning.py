"""Numbers as networks learn them: beside itself, each is told by a few ranges of its own.

A network of whole numbers learns smooth functions of them easily, and steps slowly. Of ranges, even its first layer is
any piecewise-linear function.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from descend._arrays import namespace
from descend._facts import Facts

# Of a column: as many as these, or of a large table as many as there are of so many rows each; and features in all.
FEW_BINS, MANY_BINS, ROWS_OF_A_BIN, MAX_FEATURES = 12, 48, 500, 1024
# Of all columns together: one of so many rows, as few tell little of many ranges, and a step takes as long as there are
# of them; but as many as these at the least. A column that would have fewer than so many has none: these tell little.
ROWS_OF_A_RANGE, FEWEST_RANGES, FEWEST_BINS = 16, 192, 4
# Of all rows that are learnt from: in single precision, half a gigabyte.
MAX_VALUES = 2**27
# Rows from which a column's ranges are learnt.
ROWS_LOOKED_AT = 20_000
# In units of its spread, where a number begins to count less than in proportion.
KNEE, FURTHEST = 3.0, 1e15
# Times to take mass from values that have more than a range should.
ROUNDS = 3


@dataclass(frozen=True)
class Bins:
    """The ranges of columns, learnt from rows; called with rows, all that a network is fed.

    Of a range from a to b, a number x gives min(max((x − a) / (b − a), 0), 1) − ½: so all ranges below it are full.
    Besides, each column gives x / √(1 + (x / 3)²), which a value that is far from all others cannot make large.

    - `columns`: of each range, the number of its column.
    - `lower`, `width`: where it begins, and how wide it is.

    Reference: Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep learning", arXiv
    2203.05556; Holzmüller, Grinsztajn and Steinwart, "Better by default", arXiv 2407.04491, for the second.
    """

    columns: np.ndarray
    lower: np.ndarray
    width: np.ndarray

    def __len__(self) -> int:
        return len(self.columns)

    def __call__(self, rows: Any) -> Any:
        xp = namespace(rows)
        within = xp.clip((rows[:, self.columns] - self.lower) / self.width, 0, 1) - np.float32(0.5)
        # A square beyond single precision is infinite, and what is divided by its root is then 0 and not near 3.
        near = xp.clip(rows, -FURTHEST, FURTHEST)
        return xp.concatenate([near / (1 + (near / KNEE) ** 2) ** 0.5, within], axis=1)

    def of_all(self, rows: np.ndarray, at_once: int = 8192) -> np.ndarray:
        """The same for many rows, by blocks of them."""
        fed = np.empty((len(rows), rows.shape[1] + len(self)), np.float32)
        for start in range(0, len(rows), at_once):
            fed[start : start + at_once] = self(rows[start : start + at_once])
        return fed

    @classmethod
    def learnt(cls, rows: np.ndarray) -> "Bins":
        """The ranges of the columns that have more than two values: about as many rows fall into each."""
        some = rows[:: -(-len(rows) // ROWS_LOOKED_AT)]
        values = [np.unique(column, return_counts=True) for column in some.T]
        numbers = [column for column, (found, _) in enumerate(values) if len(found) > 2]
        room = min(MAX_FEATURES, MAX_VALUES // len(rows)) - rows.shape[1]
        wanted = min(max(len(rows) // ROWS_OF_A_BIN, FEW_BINS), MANY_BINS)
        share = max(len(rows) // ROWS_OF_A_RANGE, FEWEST_RANGES) // max(len(numbers), 1)
        count = min(wanted, share, room // max(len(numbers), 1))
        edges = [_edges(*values[column], count) for column in numbers] if count >= FEWEST_BINS else []
        of = lambda parts: np.concatenate([np.empty(0, np.float32), *parts])
        lower, width = of([some[:-1] for some in edges]), of([np.diff(some) for some in edges])
        columns = np.repeat(np.asarray(numbers, np.int32)[: len(edges)], [len(some) - 1 for some in edges])
        return cls(columns, lower, width)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The ranges, by name."""
        return {"bins/columns": self.columns, "bins/lower": self.lower, "bins/width": self.width}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], features: int, told: Facts) -> "Bins":
        """What `to_arrays` gave, for so many features.

        **Raises** `CheckpointError` if it is something else.
        """
        columns, lower, width = (arrays.get(f"bins/{name}") for name in ("columns", "lower", "width"))
        if columns is None or lower is None or width is None:
            told.refuse("bins", "the ranges of columns", None)
        is_sound = (
            columns.dtype == np.int32 and lower.dtype == width.dtype == np.float32 and columns.ndim == 1
            and columns.shape == lower.shape == width.shape
            and bool(((columns >= 0) & (columns < features)).all() and (width > 0).all())
        )
        if not is_sound:
            told.refuse("bins", f"ranges of {features:,} columns", f"of {columns.shape} {lower.shape} {width.shape}")
        return cls(columns, lower, width)


def _edges(values: np.ndarray, counts: np.ndarray, bins: int) -> np.ndarray:
    """Where the ranges of a column meet, from its distinct values and how many rows have each."""
    mass = counts.astype(np.float64)
    # A value that most rows have would leave few ranges for all others. It has one, like every share of them.
    for _ in range(ROUNDS):
        mass = np.minimum(mass, mass.sum() / bins)
    below = np.concatenate([[0.0], np.cumsum(mass)[:-1]]) / mass[:-1].sum()
    # Rounding must not leave out the largest value.
    wanted = np.linspace(0, 1, bins + 1) - 1e-9
    return values[np.unique(np.searchsorted(below, wanted).clip(0, len(values) - 1))].astype(np.float32)
