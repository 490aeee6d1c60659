"""Learning from rows as they come, each block seen once: `partial_fit`.

With few columns what has been seen is kept as a quadratic function (see `streaming.quadratic`). For squared losses this
is recursive least squares, the same as a fit to all rows at once; for others it is the extended Kalman filter's step,
which loses little. There is no rate to choose. Of a sparse matrix those columns count that were not 0 everywhere so
far: of many hashed ones mostly few. Where there are too many, each row makes a step of its own (see
`streaming.row_by_row`), beginning at what was learnt before they were.

Losses that have a width of their own (Huber's scale, the smoothing of corners) take it from the errors on rows that
were not seen yet, and the smoothing vanishes slowly as rows are seen.
"""

from typing import Any

import numpy as np
from scipy import sparse

from descend.linear._kernels.sparse import gathered
from descend.linear._kernels.threads import dot, one_thread_each
from descend.linear._losses import Loss
from descend.linear.problems.huber_scale import best_scale
from descend.linear.problems.matrix import NO_OFFSET, Array, Rows
from descend.linear.problems.scores import scores_of
from descend.linear.streaming.quadratic import Quadratic
from descend.linear.streaming.row_by_row import RowByRow

# Columns for which what has been seen is kept as a quadratic function.
QUADRATIC_COLUMNS = 2**10
# Rows that are learnt at once.
BLOCK_ROWS = 2**14
# The scale of no errors at all, relative to the targets.
SCALE_FLOOR = 1e-9
# At most so many over the first block, for its width and its coefficients to agree.
FIRST_BLOCK_ROUNDS = 8
# Power of the rows seen by which smoothing decreases.
SMOOTHING_DECAY = 0.2
# The greatest smoothing of a hinge, relative to the margin, by which few rows are told from most.
HINGE_SMOOTHING_LIMIT = 0.2
# The smoothing of a classifier's hinge, whose margin is the unit of scores: 0 has curvature, too.
CLASSIFIER_SMOOTHING = 1.5


class Stream:
    """A linear model of so many columns that learns from blocks of rows.

    `linear_term`: see `ScalarProblem`, beside the mean loss; None for a loss of classes that tells two from each other.
    What has been learnt are `coef` and `intercept`; `u` has the coefficients of columns that were seen, and the
    intercept.
    """

    def __init__(self, loss: Loss, columns: int, intercept: bool = True, linear_term: float | None = None) -> None:
        self.loss, self.with_intercept, self.linear_term, self.columns = loss, intercept, linear_term, columns
        self.seen = 0.0
        self.width = 0.0
        self._learner: Any = None
        self._seen_columns = SeenColumns(columns, QUADRATIC_COLUMNS) if columns > QUADRATIC_COLUMNS else None
        self.u = np.zeros(columns + 1 if self._seen_columns is None else 1)

    @property
    def coef(self) -> Array:
        """The coefficients, in the columns' units."""
        return self.u[:-1] if self._seen_columns is None else self._seen_columns.spread(self.u[:-1])

    @property
    def intercept(self) -> float:
        """The score of a row of zeros."""
        return float(self.u[-1])

    def update(
        self, X: Any, y: Array, s: Array, l2: float = 0.0, l1: float = 0.0, offset: Array = NO_OFFSET
    ) -> None:
        """Learn from rows, with targets (−1 and 1 for classes) and weights, one of which may stand for all.

        `l2`, `l1`: the penalties beside the sum of all rows' losses so far, these included. `offset`: of a loss without
        corners or a scale, a number for each row that is added to its score.
        """
        with one_thread_each():
            for start in range(0, X.shape[0], BLOCK_ROWS):
                part = slice(start, start + BLOCK_ROWS)
                here = X if X.shape[0] <= BLOCK_ROWS else X[part]
                rows = Rows(y[part], s[part] if s.size > 1 else s)
                self._learn(here, rows, l2, l1, offset[part] if offset.size else offset)

    def _learn(self, X: Any, rows: Rows, l2: float, l1: float, offset: Array) -> None:
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(rows.s[0]) * X.shape[0]
        if weight == 0:
            return
        is_first = self._learner is None
        X = X if self._seen_columns is None else self._seen_part(X, rows, offset)
        if self._learner is None:
            self._learner = self._new_learner()
        self.seen += weight
        about = l2, l1, (self.linear_term or 0.0) * weight
        if not (self.loss.kind.corners or self.loss.kind.concomitant_scale):
            self.u = self._learner.learn(self.loss, self.u, X, rows, *about, offset)
        elif is_first and isinstance(self._learner, Quadratic):
            self._learn_first_block(X, rows, about)
        else:
            self._learn_next_block(X, rows, about, weight / self.seen)

    def _seen_part(self, X: Any, rows: Rows, offset: Array) -> Any:
        """The columns that were seen so far, for which room is made; or, if they are too many, all columns."""
        seen_columns: Any = self._seen_columns
        found = seen_columns.of(X) if sparse.issparse(X) else None
        if found is None:
            before, self.u = self._learner, np.append(seen_columns.spread(self.u[:-1]), self.u[-1])
            self._seen_columns, self._learner = None, RowByRow(self.loss, self.u.size, self.with_intercept, rows)
            if before is not None:
                places = (
                    seen_columns.columns[: len(before.gradient) - 1],
                    seen_columns.greatest[: len(before.gradient) - 1],
                )
                self._learner.continue_from(before, *places, self.seen, self._smoothed_loss(), self.u, X, rows,
                                            offset)
            return X
        if found.shape[1] >= self.u.size:
            self.u = np.insert(self.u, -1, np.zeros(found.shape[1] + 1 - self.u.size))
            if self._learner is not None:
                self._learner.grow(self.u.size)
        return found

    def _learn_next_block(self, X: Any, rows: Rows, about: tuple[float, float, float], share: float) -> None:
        """Learn a block with the width of all errors so far, of which the later count more."""
        found = self._width(rows, scores_of(X, self.u[None, :-1], self.intercept)[:, 0])
        before = self.width
        # The width is a mean whose last block counts twice its share: early errors are those of early coefficients.
        self.width += min(1.0, 2 * share) * (found - before)
        if self.loss.kind.concomitant_scale and self.width > 0:
            # Rows count by the inverse of the scale, also those before.
            self._learner.rescale(before / self.width)
        self.u = self._learner.learn(self._smoothed_loss(), self.u, X, rows, *about)

    def _learn_first_block(self, X: Any, rows: Rows, about: tuple[float, float, float]) -> None:
        """Learn the first block anew with the errors' width that its coefficients give."""
        self.width = most = self._width(rows, np.zeros(X.shape[0]))
        for _ in range(FIRST_BLOCK_ROUNDS):
            self._learner = self._new_learner()
            self.u = self._learner.learn(self._smoothed_loss(), self.u, X, rows, *about)
            found = self._width(rows, scores_of(X, self.u[None, :-1], self.intercept)[:, 0])
            # The share of the errors that coefficients have not taken up.
            free = 1 - self.u.size / X.shape[0]
            found = found / free**0.5 if free > 0.5 else most
            if abs(found - self.width) <= 1e-3 * found:
                break
            self.width = found

    def _width(self, rows: Rows, scores: Array) -> float:
        """The scale of errors for Huber's loss; for others their mean magnitude, of classes that of scores."""
        weights = rows.s if rows.s.size > 1 else np.full(len(scores), 1 / len(scores))
        weights = weights / weights.sum()
        errors = scores if self.loss.kind.classes else scores - rows.y
        if self.loss.kind.concomitant_scale:
            away = errors if self.seen and self.u.any() else errors - np.median(errors)
            return best_scale(away, weights, self.loss.p, SCALE_FLOOR * (float(np.abs(rows.y).max()) or 1.0))
        return dot(weights, np.abs(errors - np.median(errors)))

    def _smoothed_loss(self) -> Loss:
        """The loss with the width that it has by now."""
        if self.loss.kind.concomitant_scale:
            return self.loss._replace(mu=self.width)
        if self.loss.kind.classes and self.linear_term is None:
            return self.loss._replace(mu=CLASSIFIER_SMOOTHING)
        mu = self.width * max(self.seen, 1.0) ** -SMOOTHING_DECAY or 1.0
        return self.loss._replace(mu=min(mu, HINGE_SMOOTHING_LIMIT) if self.loss.kind.classes else mu)

    @property
    def _is_centred(self) -> bool:
        """Whether a smoothed corner is to stay where it is: a share of the rows depends on it."""
        return self.loss.kind.corners == 1 and not (self.loss.kind.classes and self.linear_term is None)

    def _new_learner(self) -> Quadratic:
        return Quadratic(self.u.size, self.with_intercept, self._is_centred)


class SeenColumns:
    """The columns of sparse blocks that were not 0 everywhere, in the order in which they came, while there is room."""

    def __init__(self, width: int, room: int) -> None:
        self._place, self._columns = np.full(width, -1, np.int32), np.empty(room, np.intp)
        self._greatest, self.count = np.zeros(room), 0

    @property
    def columns(self) -> Array:
        """Which they are."""
        return self._columns[: self.count]

    @property
    def greatest(self) -> Array:
        """The greatest magnitude of each."""
        return self._greatest[: self.count]

    def of(self, X: Any) -> Any:
        """A block's columns that were seen, these included; None, where they are too many."""
        where = np.empty(X.indices.size, np.int32)
        count = gathered(X.data, X.indices, self._place, self._columns, self._greatest, self.count, where)
        if count < 0:
            return None
        self.count = count
        return sparse.csr_array((X.data, where, X.indptr), shape=(X.shape[0], count))

    def spread(self, w: Array) -> Array:
        """Numbers of these columns, among zeros of all others."""
        out = np.zeros(self._place.size)
        out[self._columns[: w.size]] = w
        return out
