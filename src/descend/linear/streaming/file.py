"""A fit to files larger than memory: every pass reads them anew, block by block, so that memory stays flat.

Before, one pass looks the file over: its rows, its labels, the columns that are not 0 everywhere (of all hashed ones,
mostly few), their spread, and a sample of the rows. The minimum on the sample is where the passes over all rows begin;
a few of them are then enough. As reading costs more than all else, the Hessian is summed up in the same pass as the
gradient, and the next block is read meanwhile.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import sparse

from descend.errors import InputError
from descend.linear._kernels.sparse import moments
from descend.linear._losses import Loss
from descend.linear.files import Blocks
from descend.linear.problems.compact import far_means
from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.matrix import NO_OFFSET, Array, Matrix, Moments, Rows, Sums, blockwise_qr, shifted
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Iterate, Support
from descend.linear.problems.scalar import MACHINE_EPS, ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.solve import solve

# Rows that are kept at most; of a longer file at least half as many.
SAMPLE_ROWS = 2**17
# Labels.
LABEL_LIMIT = 1000
# Of the minimum on the sample, which itself is only near to that on all rows.
SAMPLE_TOL = 1e-3


# Features, targets and offsets of rows; no offsets, where there are none.
Part = tuple[Any, Array, Array]


@dataclass(frozen=True)
class Survey:
    """What one look over a file finds.

    `labels`, `counts`: different targets, of classes. `columns`: which of the hashed columns are not 0 everywhere;
    `shift`: what is taken away from each of them; `sums`, `squares`, `greatest`: theirs after that. `X`, `y`, `offset`:
    the sample, of these columns alone. `farthest`: the greatest magnitude of an offset.
    """

    blocks: Blocks
    rows: int
    labels: Array
    counts: Array
    columns: Array
    shift: Array
    sums: Array
    squares: Array
    greatest: Array
    X: Any
    y: Array
    offset: Array
    farthest: float

    @property
    def moments(self) -> Moments:
        """See `Matrix.moments`; of all rows alike."""
        mean = self.sums / self.rows
        return mean, np.maximum(self.squares / self.rows - mean**2, 0.0), self.greatest


class FileTargets(NamedTuple):
    """What the targets in a file mean to the loss.

    `positive`: the place among the labels of the class whose target is 1, while that of the others is −1; None, where
    targets are numbers. `weights`: a row's weight by the place of its label; None, where all are 1.
    """

    positive: int | None = None
    weights: Array | None = None


def survey(blocks: Blocks, check: Callable[[Array], None] | None = None, intercept: bool = True) -> Survey:
    """Look a file over. `check`: refuses targets, where they are numbers; otherwise they are labels.

    With an `intercept`, columns far from 0 are looked at, and given, less their mean in the first block; if that is far
    from the one in all, a second look is taken.
    """
    if blocks.target is None:
        raise InputError("the blocks have no target: a fit needs Blocks(path, target)")
    found = _looked_over(blocks, check, None if intercept else np.zeros(blocks.hashed))
    rest = far_means(*found.moments[:2])
    if not (intercept and rest.any()):
        return found
    shift = np.zeros(blocks.hashed)
    shift[found.columns] = found.shift + rest
    return _looked_over(blocks, check, shift)


def _looked_over(blocks: Blocks, check: Callable[[Array], None] | None, shift: Array | None) -> Survey:
    """See `survey`; `shift`: what is taken away from each hashed column, if that is known."""
    rows, stride = 0, 1
    counts: dict[Any, int] = {}
    totals, used = np.zeros((3, blocks.hashed)), np.zeros(blocks.hashed, bool)
    kept: list[Part] = []
    farthest = 0.0
    for given, y, offset in prefetched(blocks):
        farthest = max(farthest, float(np.abs(offset).max(initial=0.0)))
        if check is None:
            _count(y, counts, blocks)
        else:
            check(_numbers(y, blocks))
        if shift is None:
            shift = far_means(*Matrix(given).moments(np.array([1 / len(y)]))[:2])
        used[given.indices[given.data != 0]] = True
        X = shifted(given, shift)
        sums, squares, greatest = moments(0, len(y), X.data, X.indices, X.indptr, np.ones(1), blocks.hashed)
        totals[:2] += sums, squares
        np.maximum(totals[2], greatest, out=totals[2])
        chosen = slice(-rows % stride, None, stride)
        kept.append((X[chosen], y[chosen], offset[chosen]))
        rows += len(y)
        # Every second of the kept rows, and from now on every second of those that come: the sample stays even over the
        # file, however long it turns out to be.
        while sum(len(part) for _, part, _ in kept) > SAMPLE_ROWS:
            kept = [(X[::2], y[::2], offset[::2]) for X, y, offset in [_joined(kept)]]
            stride *= 2
    if not rows or shift is None:
        raise InputError(f"{str(blocks.path)!r} has no rows: give a file that has some")
    columns, (X, y, offset) = np.flatnonzero(used), _joined(kept)
    sums, squares, greatest = totals[:, columns]
    labels = sorted(counts)
    return Survey(blocks, rows, np.array(labels, y.dtype), np.array([counts[label] for label in labels]), columns,
                  shift[columns], sums, squares, greatest, sparse.csr_array(X[:, columns]), y, offset, farthest)


def _count(y: Array, counts: dict[Any, int], blocks: Blocks) -> None:
    """Add the labels of a block to their counts."""
    for label, count in zip(*np.unique(y, return_counts=True), strict=True):
        counts[label] = counts.get(label, 0) + int(count)
    if len(counts) > LABEL_LIMIT:
        raise InputError(
            f"the target {blocks.target!r} has more than {LABEL_LIMIT:,} different values: for numbers take a "
            "regression"
        )


def _numbers(y: Array, blocks: Blocks) -> Array:
    """Targets of a regression."""
    if y.dtype.kind not in "biuf":
        raise InputError(f"the target {blocks.target!r} is not a column of numbers: for labels take a classifier")
    if not np.isfinite(y).all():
        raise InputError(f"the target {blocks.target!r} has values that are not finite: remove those rows")
    return y.astype(np.float64)


def _joined(kept: list[Part]) -> Part:
    X, y, offset = zip(*kept, strict=True)
    return sparse.vstack(X, format="csr"), np.concatenate(y), np.concatenate(offset)


def prefetched(blocks: Blocks) -> Iterator[Part]:
    """The blocks, each read while the one before is worked on: features, targets, and offsets, if there are such."""
    source = (block if blocks.offset is not None else (*block, NO_OFFSET) for block in blocks)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, source, None)
        while (block := coming.result()) is not None:
            coming = reader.submit(next, source, None)
            yield block


class FileMatrix(Matrix):
    """The columns of a file that are not 0 everywhere. What a pass remembers are not scores but coefficients."""

    # That are held in memory.
    entries = 0

    def __init__(self, found: Survey, targets: FileTargets) -> None:
        self.found, self.targets = found, targets
        self.shape = (found.rows, found.columns.size)
        self.is_sparse, self.in_columns = True, False
        self.shift, self.dtype = (found.shift if found.shift.any() else None), np.dtype(np.float64)
        self._place = np.full(found.blocks.hashed, -1, np.int32)
        self._place[found.columns] = np.arange(found.columns.size)
        self._at, self._summed = np.array([]), np.zeros((0, 0))

    def score_buffer(self) -> Array:
        """Room for coefficients and intercept."""
        return np.zeros(self.shape[1] + 1)

    def moments(self, s: Array) -> Moments:
        """See `Matrix.moments`; of all rows alike."""
        return self.found.moments

    def rows_of(self, y: Array, share: float) -> Rows:
        """Targets and weights, given the share of a row of weight 1."""
        positive, weights = self.targets
        if positive is None:
            return Rows(np.asarray(y, np.float64), np.array([share]))
        places = np.searchsorted(self.found.labels, y)
        s = np.array([share]) if weights is None else weights[places] * share
        return Rows(np.where(places == positive, 1, -1).astype(np.int8), s)

    def sweep(self, w: Array, b: float, loss: Loss, rows: Rows, z: Array, with_dual: bool = True,
              offset: Array = NO_OFFSET) -> Sums:
        """See `Matrix.sweep`; z holds the coefficients and intercept of the last pass, and these afterwards."""
        # What is remembered of a pass are the coefficients that it had: scores of all rows would not fit into memory.
        before, z[:] = z.copy(), np.append(w, b)
        still, unit = np.zeros_like(w), np.ones_like(w)
        sums: list[Any] = [0.0] * len(Sums._fields)
        gram: Any = 0.0
        for matrix, y, given in self._blocks():
            part = self.rows_of(y, float(rows.s[0]))
            scores = _scores(matrix, before, still, given) if with_dual else matrix.score_buffer()
            found = matrix.sweep(w, b, loss, part, scores, with_dual, given)
            sums = [one + other for one, other in zip(sums, found, strict=True)]
            if w.size < DENSE_HESSIAN:
                gram = gram + matrix.hessian(loss, part, scores, still, unit)
        self._at, self._summed = z.copy(), gram
        return Sums(*sums)

    def hessian(self, loss: Loss, rows: Rows, z: Array, centre: Array, unit: Array) -> Array:
        """See `Matrix.hessian`; it was summed up with the last pass."""
        if not np.array_equal(z, self._at):
            self.sweep(z[:-1], float(z[-1]), loss, rows, z)
        scale = np.append(unit, 1.0)
        return self._summed * scale * scale[:, None]

    def hessian_root(self, loss: Loss, rows: Rows, z: Array, centre: Array, unit: Array, V: Array) -> Array:
        """See `Matrix.hessian_root`; z holds the coefficients and intercept of the scores."""

        def of_blocks() -> Iterator[Array]:
            for matrix, y, offset in self._blocks():
                scores = _scores(matrix, z, centre, offset)
                yield matrix.hessian_root(loss, self.rows_of(y, float(rows.s[0])), scores, centre, unit, V)

        return blockwise_qr(of_blocks())

    def _blocks(self) -> Iterator[tuple[Matrix, Array, Array]]:
        seen = 0
        for X, y, offset in prefetched(self.found.blocks):
            where = self._place[X.indices]
            if where.size and where.min() < 0:
                break
            seen += len(y)
            yield Matrix(shifted(sparse.csr_array((X.data, where, X.indptr), shape=(len(y), self.shape[1])),
                                 self.found.shift)), y, offset
        if seen != self.shape[0]:
            raise InputError(f"{str(self.found.blocks.path)!r} was changed while it was read: fit again")


def _scores(matrix: Matrix, z: Array, centre: Array, offset: Array) -> Array:
    """By the coefficients and intercept in z."""
    scores = matrix.scores(z[:-1], float(z[-1]), centre)
    return scores + offset if offset.size else scores


@dataclass(frozen=True)
class FileProblem(ScalarProblem):
    """A problem whose rows are in a file."""

    in_memory: ClassVar[bool] = False

    @property
    def _file(self) -> Any:
        return self.matrix

    def certified(self, point: Iterate, z: Array) -> Iterate:
        """The same point with the bound that its own slopes give; the intercept is left where it is."""
        return self.evaluate(point.u, z)

    def default_start(self) -> Array:
        """The minimum on the sample."""
        return solve(self.sampled(), ConvergenceMonitor(SAMPLE_TOL, 100)).u

    def sampled(self) -> ScalarProblem:
        """The same problem on the sample; see `ScalarProblem.sample`."""
        matrix, count = self._file, len(self._file.found.y)
        rows = matrix.rows_of(matrix.found.y, 1.0)
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(count)
        l2 = matrix.shape[0] / count * self.penalty.l2
        return ScalarProblem(
            Matrix(matrix.found.X),
            rows._replace(s=rows.s / weight),
            self.loss,
            replace(self.penalty, l2=l2),
            self.intercept,
            given_standardisation=self.standardisation,
            offset=matrix.found.offset,
        )

    def score_rounding(self, w: Array, b: float) -> float:
        return super().score_rounding(w, b) + MACHINE_EPS * float(self._file.found.farthest)


def problem_of_file(found: Survey, total: float, loss: Loss, penalty: Penalty, intercept: bool,
                    targets: FileTargets) -> FileProblem:
    """The problem of a file's rows, with squares alone as penalty; `total`: the sum of their weights."""
    matrix = FileMatrix(found, targets)
    rows = Rows(np.array([]), np.array([1 / total]))
    support = Support(found.blocks.hashed, found.columns)
    return FileProblem(matrix, rows, loss, penalty, intercept, support=support)
