"""One look over rows in partitions: how many there are, their labels, their columns, and a sample of them.

It is taken before a fit. Of hashed columns mostly few are not 0 everywhere, and the minimum on a sample is where passes
over all rows begin.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from descend._blocks.hashing import target_numbers
from descend.errors import InputError
from descend.linear._kernels.sparse import moments
from descend.linear.problems.compact import far_means
from descend.linear.problems.matrix import NO_OFFSET, Array, Matrix, Moments, shifted
from descend.linear.streaming.source import Part, RowSource, prefetched

# Rows that are kept at most; of more rows in partitions of one size, at least half as many.
SAMPLE_ROWS = 2**17
# Of many partitions each keeps so many all the same: they may be of different sizes.
SAMPLE_ROWS_OF_PARTITION = 2**12
# Labels.
LABEL_LIMIT = 1000
# Refuses targets, where they are numbers.
Check = Callable[[Array], None]


@dataclass(frozen=True)
class Columns:
    """Which of so many columns are not 0 everywhere, and what is taken away from each of these."""

    width: int
    indices: Array
    shift: Array

    def of(self, X: Any) -> Matrix | None:
        """These columns of a block; None, if it has others."""
        if not sparse.issparse(X):
            return Matrix(X - self.shift if self.shift.any() else X)
        place = np.full(self.width, -1, np.int32)
        place[self.indices] = np.arange(self.indices.size)
        where = place[X.indices]
        if where.size and where.min() < 0:
            return None
        found = sparse.csr_array((X.data, where, X.indptr), shape=(X.shape[0], self.indices.size))
        return Matrix(shifted(found, self.shift))


@dataclass(frozen=True)
class Survey:
    """What one look over a source finds.

    `sizes`: the rows of each partition. `labels`, `counts`: different targets, of classes. `sums`, `squares`,
    `greatest`: of the columns that are not 0 everywhere, less their shift. `X`, `y`, `offset`: the sample, of these
    columns alone. `farthest`: the greatest magnitude of an offset.
    """

    source: RowSource
    sizes: tuple[int, ...]
    labels: Array
    counts: Array
    columns: Columns
    sums: Array
    squares: Array
    greatest: Array
    X: Any
    y: Array
    offset: Array
    farthest: float

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(self.sizes)

    @property
    def moments(self) -> Moments:
        """See `Matrix.moments`; of all rows alike."""
        mean = self.sums / self.rows
        return mean, np.maximum(self.squares / self.rows - mean**2, 0.0), self.greatest


def survey(source: RowSource, check: Check | None = None, intercept: bool = True) -> Survey:
    """Look a source over. `check`: refuses targets, where they are numbers; otherwise they are labels.

    With an `intercept`, columns far from 0 are looked at, and given, less their mean in the first block; if that is far
    from the one in all, a second look is taken.
    """
    found = _looked_over(source, check, _first_means(source) if intercept else np.zeros(source.width))
    rest = far_means(*found.moments[:2])
    if not (intercept and rest.any()):
        return found
    shift = np.zeros(source.width)
    shift[found.columns.indices] = found.columns.shift + rest
    return _looked_over(source, check, shift)


def _first_means(source: RowSource) -> Array:
    """The means in the first block that are far from 0."""
    for partition in source.partitions:
        for means in source.each(_means_of_first_block, [partition]):
            if means is not None:
                return means
    raise _no_rows(source)


def _means_of_first_block(partition: Iterable[Any]) -> Array | None:
    for X, *_ in partition:
        return far_means(*Matrix(X).moments(np.array([1 / X.shape[0]]))[:2])
    return None


def _no_rows(source: RowSource) -> InputError:
    return InputError(f"{source.told} has no rows: give a file that has some")


class Look(NamedTuple):
    """What one look over a partition finds; `used`: which columns are not 0 everywhere, of which `totals` are.

    `sample`: every one of `stride` rows, in blocks.
    """

    rows: int
    counts: dict[Any, int]
    used: Array
    totals: Array
    farthest: float
    stride: int
    sample: list[Part]


def _looked_over(source: RowSource, check: Check | None, shift: Array) -> Survey:
    """See `survey`; `shift`: what is taken away from each column."""
    limit = max(SAMPLE_ROWS // len(source.partitions), SAMPLE_ROWS_OF_PARTITION)
    work = partial(look, target=source.target, check=check, shift=shift, limit=limit)
    sizes: list[int] = []
    counts: dict[Any, int] = {}
    totals, used = np.zeros((3, source.width)), np.zeros(source.width, bool)
    kept, stride, farthest = list[Part](), 1, 0.0
    for found in source.each(work, source.partitions):
        sizes.append(found.rows)
        _count(found.counts, counts, source.target)
        totals[:2, found.used] += found.totals[:2]
        totals[2, found.used] = np.maximum(totals[2, found.used], found.totals[2])
        used[found.used] = True
        farthest = max(farthest, found.farthest)
        # All are thinned alike.
        common = max(stride, found.stride)
        kept = [*_thinned(kept, common // stride), *_thinned(found.sample, common // found.stride)]
        stride = common
        while _rows_of(kept) > SAMPLE_ROWS:
            kept, stride = _thinned(kept, 2), 2 * stride
    if not kept:
        raise _no_rows(source)
    columns = np.flatnonzero(used)
    X, y, offset = _joined(kept)
    sums, squares, greatest = totals[:, columns]
    X = sparse.csr_array(X[:, columns]) if sparse.issparse(X) else X
    labels = sorted(counts)
    return Survey(source, tuple(sizes), np.array(labels, y.dtype), np.array([counts[label] for label in labels]),
                  Columns(source.width, columns, shift[columns]), sums, squares, greatest, X, y, offset, farthest)


def look(partition: Iterable[Any], target: str, check: Check | None, shift: Array, limit: int) -> Look:
    """Look a partition over; of its rows no more than `limit` are kept."""
    rows, stride, farthest = 0, 1, 0.0
    counts: dict[Any, int] = {}
    totals, used = np.zeros((3, shift.size)), np.zeros(shift.size, bool)
    kept: list[Part] = []
    for given, y, offset in prefetched(partition):
        farthest = max(farthest, float(np.abs(offset).max(initial=0.0)))
        if check is None:
            values, numbers = np.unique(y, return_counts=True)
            _count(dict(zip(values, map(int, numbers), strict=True)), counts, target)
        else:
            check(target_numbers(y, target))
        used[given.indices[given.data != 0] if sparse.issparse(given) else slice(None)] = True
        X = shifted(given, shift) if sparse.issparse(given) else given - shift
        added = _totals(X)
        totals[:2] += added[:2]
        np.maximum(totals[2], added[2], out=totals[2])
        chosen = slice(-rows % stride, None, stride)
        kept.append((X[chosen], y[chosen], offset[chosen]))
        rows += len(y)
        # Every second of the kept rows, and from now on every second of those that come: the sample stays even over the
        # partition, however long it turns out to be.
        while _rows_of(kept) > limit:
            kept, stride = _thinned([_joined(kept)], 2), 2 * stride
    columns = np.flatnonzero(used)
    return Look(rows, counts, columns, totals[:, columns], farthest, stride, [_joined(kept)] if kept else [])


def _totals(X: Any) -> Array:
    """Sums, sums of squares and greatest magnitudes of a block's columns."""
    rows, columns = X.shape
    if sparse.issparse(X):
        return np.stack(moments(0, rows, X.data, X.indices, X.indptr, np.ones(1), columns))
    mean, variance, greatest = Matrix(X).moments(np.array([1 / rows]))
    return np.stack([rows * mean, rows * (variance + mean**2), greatest])


def _count(more: dict[Any, int], counts: dict[Any, int], target: str) -> None:
    """Add counts of labels."""
    for label, count in more.items():
        counts[label] = counts.get(label, 0) + count
    if len(counts) > LABEL_LIMIT:
        raise InputError(f"{target} has more than {LABEL_LIMIT:,} different values: for numbers take a regression")


def _rows_of(kept: list[Part]) -> int:
    return sum(len(y) for _, y, _ in kept)


def _thinned(kept: list[Part], stride: int) -> list[Part]:
    return [(X[::stride], y[::stride], offset[::stride]) for X, y, offset in kept] if stride > 1 else kept


def _joined(kept: list[Part]) -> Part:
    X, y, offset = zip(*kept, strict=True)
    whole = sparse.vstack(X, format="csr") if sparse.issparse(X[0]) else np.concatenate(X)
    return whole, np.concatenate(y), np.concatenate(offset) if offset[0].size else NO_OFFSET
