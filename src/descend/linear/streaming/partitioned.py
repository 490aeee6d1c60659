"""A fit to rows in partitions, as those of files larger than memory: every pass reads them anew, block by block.

Before, a `survey` looks the rows over. The minimum on its sample is where the passes over all rows begin; a few of them
are then enough. As reading costs more than all else, the Hessian is summed up in the same pass as the gradient, and the
next block is read meanwhile. Partitions may be gone through anywhere; what they give is added up in their order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar, NamedTuple

import numpy as np

from descend.errors import InputError
from descend.linear._losses import Loss
from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.matrix import NO_OFFSET, Array, Matrix, Moments, Rows, Sums, blockwise_qr
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Iterate, Support
from descend.linear.problems.scalar import MACHINE_EPS, ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.solve import solve
from descend.linear.streaming.source import prefetched
from descend.linear.streaming.survey import Columns, Survey

# Of the minimum on the sample, which itself is only near to that on all rows.
SAMPLE_TOL = 1e-3


@dataclass(frozen=True)
class Meaning:
    """What the targets mean to the loss.

    `positive`: the place among the `labels` of the class whose target is 1, while that of the others is −1; None, where
    targets are numbers. `weights`: a row's weight by the place of its label; None, where all are 1.
    """

    labels: Array
    positive: int | None = None
    weights: Array | None = None

    def rows(self, y: Array, share: float) -> Rows:
        """Targets and weights, given the share of a row of weight 1."""
        if self.positive is None:
            # What was received must not be written to, for which kernels would be compiled again; nor what Arrow holds.
            return Rows(np.array(y, np.float64), np.array([share]))
        places = np.searchsorted(self.labels, y)
        s = np.array([share]) if self.weights is None else self.weights[places] * share
        return Rows(np.where(places == self.positive, 1, -1).astype(np.int8), s)


class ScoredBlock(NamedTuple):
    """Rows as a pass sees them; `scores`: at the coefficients that they are looked at."""

    matrix: Matrix
    rows: Rows
    offset: Array
    scores: Array


@dataclass(frozen=True)
class Pass:
    """A look at partitions at some coefficients and an intercept, `z`. `share`: that of a row of weight 1."""

    columns: Columns
    meaning: Meaning
    loss: Loss
    share: float
    z: Array
    told: str

    def blocks(self, partition: Iterable[Any], size: int, scored: bool = True) -> Iterator[ScoredBlock]:
        """The blocks of a partition, which had so many rows; `scored`: whether scores are wanted."""
        seen = 0
        for X, y, offset in prefetched(partition):
            matrix = self.columns.of(X)
            if matrix is None:
                break
            seen += len(y)
            scores = _scores(matrix, np.array(self.z), offset) if scored else matrix.score_buffer()
            yield ScoredBlock(matrix, self.meaning.rows(y, self.share), offset, scores)
        if seen != size:
            raise InputError(f"{self.told} was changed while it was read: fit again")


@dataclass(frozen=True)
class Sweep:
    """What a partition adds to `Matrix.sweep` at w and b, and to the Hessian there; `last`: at the pass before."""

    last: Pass
    w: Array
    b: float
    with_dual: bool

    def __call__(self, partition: tuple[int, Iterable[Any]]) -> list[Any]:
        size, blocks = partition
        return reduce(_added, map(self._of_block, self.last.blocks(blocks, size, self.with_dual)), _NOTHING)

    def _of_block(self, block: ScoredBlock) -> list[Any]:
        matrix, rows, offset, scores = block
        loss, w = self.last.loss, np.array(self.w)
        sums = matrix.sweep(w, self.b, loss, rows, scores, self.with_dual, offset)
        if self.w.size >= DENSE_HESSIAN:
            return [*sums, 0.0]
        return [*sums, matrix.hessian(loss, rows, scores, np.zeros_like(self.w), np.ones_like(self.w))]


# What is summed up in a pass: `Sums`, and the Hessian.
_NOTHING: list[Any] = [0.0] * (len(Sums._fields) + 1)


def _added(before: list[Any], more: list[Any]) -> list[Any]:
    return [one + other for one, other in zip(before, more, strict=True)]


@dataclass(frozen=True)
class Root:
    """The R of a partition: see `Matrix.hessian_root`."""

    at: Pass
    unit: Array
    V: Array

    def __call__(self, partition: tuple[int, Iterable[Any]]) -> Array:
        size, blocks = partition
        still = np.zeros_like(self.unit)
        loss, found = self.at.loss, self.at.blocks(blocks, size)
        return blockwise_qr(block.matrix.hessian_root(loss, block.rows, block.scores, still, self.unit, self.V)
                            for block in found)


class Partitioned(Matrix):
    """The columns of a source that are not 0 everywhere. What a pass remembers are not scores but coefficients."""

    # That are held in memory.
    entries = 0

    def __init__(self, found: Survey, meaning: Meaning) -> None:
        self.found, self.meaning = found, meaning
        shift = found.columns.shift
        self.shape = (found.rows, found.columns.indices.size)
        # Nothing is centred but what is far from 0, as in a sparse matrix.
        self.is_sparse, self.in_columns = True, False
        self.shift, self.dtype = (shift if shift.any() else None), np.dtype(np.float64)
        self._at, self._summed = np.array([]), np.zeros((0, 0))

    def score_buffer(self) -> Array:
        """Room for coefficients and intercept."""
        return np.zeros(self.shape[1] + 1)

    def moments(self, s: Array) -> Moments:
        """See `Matrix.moments`; of all rows alike."""
        return self.found.moments

    def sweep(self, w: Array, b: float, loss: Loss, rows: Rows, z: Array, with_dual: bool = True,
              offset: Array = NO_OFFSET) -> Sums:
        """See `Matrix.sweep`; z holds the coefficients and intercept of the last pass, and these afterwards."""
        # What is remembered of a pass are the coefficients that it had: scores of all rows would not fit into memory.
        work = Sweep(self._pass(loss, rows, z.copy()), w, b, with_dual)
        z[:] = np.append(w, b)
        *sums, gram = reduce(_added, self._each(work), _NOTHING)
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
        return blockwise_qr(root for root in self._each(Root(self._pass(loss, rows, z), unit, V)) if root.size)

    def _pass(self, loss: Loss, rows: Rows, z: Array) -> Pass:
        return Pass(self.found.columns, self.meaning, loss, float(rows.s[0]), z, self.found.source.told)

    def _each(self, work: Any) -> Iterable[Any]:
        """What a pass gives of each partition, in their order."""
        source = self.found.source
        return source.each(work, list(zip(self.found.sizes, source.partitions, strict=True)))


def _scores(matrix: Matrix, z: Array, offset: Array) -> Array:
    """By the coefficients and intercept in z."""
    scores = matrix.scores(z[:-1], float(z[-1]), np.zeros(z.size - 1))
    return scores + offset if offset.size else scores


@dataclass(frozen=True)
class PartitionedProblem(ScalarProblem):
    """A problem whose rows are in partitions."""

    in_memory: ClassVar[bool] = False

    @property
    def _partitioned(self) -> Any:
        return self.matrix

    def certified(self, point: Iterate, z: Array) -> Iterate:
        """The same point with the bound that its own slopes give; the intercept is left where it is."""
        return self.evaluate(point.u, z)

    def default_start(self) -> Array:
        """The minimum on the sample."""
        return solve(self.sampled(), ConvergenceMonitor(SAMPLE_TOL, 100)).u

    def sampled(self) -> ScalarProblem:
        """The same problem on the sample; see `ScalarProblem.sample`."""
        matrix, found = self._partitioned, self._partitioned.found
        count = len(found.y)
        rows = matrix.meaning.rows(found.y, 1.0)
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(count)
        l2 = matrix.shape[0] / count * self.penalty.l2
        return ScalarProblem(
            Matrix(found.X),
            rows._replace(s=rows.s / weight),
            self.loss,
            replace(self.penalty, l2=l2),
            self.intercept,
            given_standardisation=self.standardisation,
            offset=found.offset,
        )

    def score_rounding(self, w: Array, b: float) -> float:
        return super().score_rounding(w, b) + MACHINE_EPS * float(self._partitioned.found.farthest)


def problem_of(found: Survey, total: float, loss: Loss, penalty: Penalty, intercept: bool,
               meaning: Meaning) -> PartitionedProblem:
    """The problem of rows in partitions, with squares alone as penalty; `total`: the sum of their weights."""
    rows = Rows(np.array([]), np.array([1 / total]))
    support = Support(found.source.width, found.columns.indices)
    return PartitionedProblem(Partitioned(found, meaning), rows, loss, penalty, intercept, support=support)
