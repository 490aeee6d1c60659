"""One look over a table that is larger than memory, before a network learns from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from scipy import sparse

from descend._arrow import holds_numbers
from descend._blocks.files import Blocks
from descend._blocks.hashing import target_numbers
from descend._blocks.shards import Shard, read_ahead
from descend._scaling import unit_of
from descend._shuffle import mixed
from descend.errors import InputError
from descend.neural._hashed_rows import HashedRows, table_of

# Rows that are validated on, at most.
MOST_HELD_OUT = 2**16
MOST_CLASSES = 1000
# What is added to a seed, so that rows are held out by other numbers than they are shuffled by.
HOLDING_OUT = np.uint32(0x8E51D)


class SeenBlock(NamedTuple):
    """Some rows that are read together: block `number` of a shard. `seen`: a checksum of them."""

    shard: int
    number: int
    rows: int
    seen: int


@dataclass(frozen=True)
class BlockSurvey:
    """What one look over a table finds.

    `labels`, `counts`: the classes among the targets; or `centre` and `unit` of targets that are numbers. `held_out`:
    the numbers of rows to be validated on, in order, and `X` and `y` their features and targets.
    """

    told: str
    shards: list[Shard]
    blocks: list[SeenBlock]
    rows: HashedRows
    labels: np.ndarray
    counts: np.ndarray
    centre: float
    unit: float
    held_out: np.ndarray
    X: Any
    y: np.ndarray

    @property
    def seen(self) -> int:
        """A checksum of all rows."""
        return crc32(np.array([block.seen for block in self.blocks], np.uint32).tobytes())


def survey(blocks: Blocks, seed: int, share: float, of_numbers: bool) -> BlockSurvey:
    """Look a table over. `share`: of the rows, to be held out. `of_numbers`: whether the target is one, and no class.

    **Raises** `InputError` for a table that nothing can be learnt from.
    """
    table = table_of(blocks)
    kinds = {name: holds_numbers(table.schema.field(name).type) for name in blocks.encoding.names(table.schema)}
    found: list[SeenBlock] = []
    moments = ColumnMoments(blocks.hashed, blocks.encoding.places([name for name, number in kinds.items() if number]))
    targets: _Numbers | _Labels = _Numbers() if of_numbers else _Labels()
    held_out = HeldOut(seed, share)
    target = f"the target {blocks.target!r}"
    for shard, number, X, given in _blocks(table.shards):
        y = target_numbers(given, target) if of_numbers else given
        targets.add(y, target)
        moments.add(X)
        held_out.add(X, y)
        found.append(SeenBlock(shard, number, len(y), checksum(X, y)))
    if not found:
        raise InputError(f"{blocks.told} has no rows: give a file that has some")
    return BlockSurvey(blocks.told, list(table.shards), found, moments.inputs(kinds, blocks.told), *targets.told,
                       *held_out.rows())


def _blocks(shards: Any) -> Iterator[tuple[int, int, Any, np.ndarray]]:
    """Each block, with the numbers of its shard and of itself."""
    for number, shard in enumerate(shards):
        yield from ((number, i, *part) for i, part in enumerate(read_ahead(shard)))


def checksum(X: Any, y: np.ndarray) -> int:
    """By which a block is known again."""
    words = y if y.dtype.kind in "biufM" else np.array(list(map(str, y)))
    return crc32(X.data.tobytes(), crc32(X.indices.tobytes(), crc32(words.tobytes())))


class ColumnMoments:
    """Means and spreads of hashed columns, and which of them differ from row to row."""

    def __init__(self, width: int, numbers: np.ndarray) -> None:
        self._is_number = np.zeros(width, bool)
        self._is_number[numbers] = True
        # How often a column is there, and sums and squares of it less its shift.
        self._count, self._sum, self._square = np.zeros((3, width))
        self._shift: np.ndarray | None = None
        self._longest, self._rows = 1, 0

    def add(self, X: Any) -> None:
        """More rows."""
        is_there = ~np.isnan(X.data) & (self._is_number[X.indices] | (X.data != 0))
        places, values = X.indices[is_there], X.data[is_there]
        if self._shift is None:
            # Numbers far from 0 are rounded less by their distances from a mean.
            count = np.maximum(self._sums(places), 1)
            self._shift = np.where(self._is_number, self._sums(places, values) / count, 0.0)
        away = values - self._shift[places]
        self._count += self._sums(places)
        self._sum += self._sums(places, away)
        self._square += self._sums(places, away**2)
        self._longest = max(self._longest, int(self._lengths(X).max(initial=0)))
        self._rows += X.shape[0]

    def inputs(self, kinds: dict[str, bool], told: str) -> HashedRows:
        """How rows become inputs."""
        # Where a level is not, it is 0; where a number is not, it is missing.
        rows = np.where(self._is_number, np.maximum(self._count, 1), self._rows)
        away = self._sum / rows
        variance = np.maximum(self._square / rows - away**2, 0.0)
        shift = np.zeros_like(away) if self._shift is None else self._shift
        mean = np.where(self._is_number, shift + away, 0.0)
        unit = np.where(self._is_number, unit_of(mean, variance, float(np.finfo(np.float64).eps)), 1.0)
        # Of a number that is the same everywhere the spread is rounding.
        columns = np.flatnonzero(np.where(self._is_number, unit == np.sqrt(variance), variance > 0))
        if not len(columns):
            raise InputError(f"{told} has no column that differs from row to row: there is nothing to predict from")
        return HashedRows(kinds, len(rows), columns, self._is_number[columns], mean[columns], unit[columns],
                          self._longest)

    def _sums(self, places: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(places, values, len(self._is_number))

    def _lengths(self, X: Any) -> np.ndarray:
        """How many inputs of each row there can be."""
        kept = self._is_number[X.indices] | (X.data != 0)
        return np.diff(np.concatenate([[0], np.cumsum(kept)])[X.indptr])


@dataclass
class _Labels:
    counts: dict[Any, int] = field(default_factory=dict)

    def add(self, y: np.ndarray, target: str) -> None:
        for label, count in zip(*np.unique(y, return_counts=True), strict=True):
            self.counts[label] = self.counts.get(label, 0) + int(count)
        if len(self.counts) > MOST_CLASSES:
            raise InputError(f"{target} has more than {MOST_CLASSES:,} different values: for numbers take a regression")
        self._kind = y.dtype

    @property
    def told(self) -> tuple[np.ndarray, np.ndarray, float, float]:
        """The labels in order, and how often each is there."""
        labels = sorted(self.counts)
        return np.array(labels, self._kind), np.array([self.counts[label] for label in labels]), 0.0, 1.0


@dataclass
class _Numbers:
    rows: int = 0
    shift: float = 0.0
    sums: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def add(self, y: np.ndarray, target: str) -> None:
        self.shift = self.shift if self.rows else float(y.mean())
        self.rows += len(y)
        self.sums += (y - self.shift).sum(), ((y - self.shift) ** 2).sum()

    @property
    def told(self) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Their mean and spread."""
        away, square = self.sums / self.rows
        centre = self.shift + away
        unit = unit_of(np.float64(centre), np.float64(max(square - away**2, 0.0)), float(np.finfo(np.float64).eps))
        return np.zeros(0), np.zeros(0), centre, float(unit)


class HeldOut:
    """Rows that are held out: those whose number has a hash below a limit, which falls as they become too many."""

    def __init__(self, seed: int, share: float) -> None:
        with np.errstate(over="ignore"):
            self._key = mixed(np.asarray(seed % 2**32, np.uint32) + HOLDING_OUT)
        self._limit, self._rows = round(share * 2**32), 0
        self._kept: list[tuple[np.ndarray, Any, np.ndarray]] = []

    def add(self, X: Any, y: np.ndarray) -> None:
        """More rows, in their order."""
        numbers = np.arange(self._rows, self._rows + len(y))
        self._rows += len(y)
        self._kept.append(self._below((numbers, X, y)))
        while sum(len(numbers) for numbers, *_ in self._kept) > MOST_HELD_OUT:
            self._limit //= 2
            self._kept = [self._below(part) for part in self._kept]

    def rows(self) -> tuple[np.ndarray, Any, np.ndarray]:
        """Their numbers, features and targets."""
        numbers, X, y = zip(*self._kept, strict=True)
        return np.concatenate(numbers), sparse.csr_array(sparse.vstack(X, format="csr")), np.concatenate(y)

    def _below(self, part: tuple[np.ndarray, Any, np.ndarray]) -> tuple[np.ndarray, Any, np.ndarray]:
        numbers, X, y = part
        with np.errstate(over="ignore"):
            chosen = mixed(mixed(numbers.astype(np.uint32)) + self._key) < self._limit
        return numbers[chosen], X[chosen], y[chosen]
