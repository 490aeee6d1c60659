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
from descend.linear._kernels.threads import one_thread_each
from descend.linear._losses import Loss
from descend.linear.problems.huber_scale import best_scale
from descend.linear.problems.matrix import Array, Rows
from descend.linear.problems.scores import scores_of
from descend.linear.streaming.quadratic import Quadratic
from descend.linear.streaming.row_by_row import RowByRow

FEW = 2**10  # columns for which what has been seen is kept as a quadratic function
BLOCK = 2**14  # rows of a block
LEAST = 1e-9  # of the targets: the scale of no errors at all
ROUNDS = 8  # over the first block, for its width and its coefficients to agree
SHARPER = 0.2  # power of the rows seen by which smoothing decreases
MOST = 0.2  # of the margin, the smoothing of a hinge by which few rows are told from most
MARGIN = 1.5  # the smoothing of a classifier's hinge, whose margin is the unit of scores: 0 has curvature, too


class Stream:
    """A linear model of so many columns that learns from blocks of rows.

    `tilt`: see `Problem`, beside the mean loss; None for a loss of classes that tells two from each other. What has
    been learnt are `coef` and `intercept`; `u` has the coefficients of columns that were seen, and the intercept.
    """

    def __init__(self, loss: Loss, columns: int, intercept: bool = True, tilt: float | None = None) -> None:
        self.loss, self.with_intercept, self.tilt, self.columns = loss, intercept, tilt, columns
        self.seen = 0.0
        self.width = 0.0
        self._learner: Any = None
        self._among = Among(columns, FEW) if columns > FEW else None
        self.u = np.zeros(columns + 1 if self._among is None else 1)

    @property
    def coef(self) -> Array:
        """The coefficients, in the columns' units."""
        return self.u[:-1] if self._among is None else self._among.spread(self.u[:-1])

    @property
    def intercept(self) -> float:
        """The score of a row of zeros."""
        return float(self.u[-1])

    def update(self, X: Any, y: Array, s: Array, l2: float = 0.0, l1: float = 0.0) -> None:
        """Learn from rows, with targets (−1 and 1 for classes) and weights, one of which may stand for all.

        `l2`, `l1`: the penalties beside the sum of all rows' losses so far, these included.
        """
        with one_thread_each():
            for start in range(0, X.shape[0], BLOCK):
                part = slice(start, start + BLOCK)
                here = X if X.shape[0] <= BLOCK else X[part]
                self._learn(here, Rows(y[part], s[part] if s.size > 1 else s), l2, l1)

    def _learn(self, X: Any, rows: Rows, l2: float, l1: float) -> None:
        weight = float(rows.s.sum()) if rows.s.size > 1 else float(rows.s[0]) * X.shape[0]
        if weight == 0:
            return
        is_first = self._learner is None
        X = X if self._among is None else self._of_those_seen(X, rows)
        if self._learner is None:
            self._learner = self._new_learner()
        self.seen += weight
        about = l2, l1, (self.tilt or 0.0) * weight
        if not (self.loss.kind.corners or self.loss.kind.scaled):
            self.u = self._learner.learn(self.loss, self.u, X, rows, *about)
        elif is_first and isinstance(self._learner, Quadratic):
            self._agree(X, rows, about)
        else:
            self._go_on(X, rows, about, weight / self.seen)

    def _of_those_seen(self, X: Any, rows: Rows) -> Any:
        """The columns that were seen so far, for which room is made; or, if they are too many, all columns."""
        among: Any = self._among
        found = among.of(X) if sparse.issparse(X) else None
        if found is None:
            before, self.u = self._learner, np.append(among.spread(self.u[:-1]), self.u[-1])
            self._among, self._learner = None, RowByRow(self.loss, self.u.size, self.with_intercept, rows)
            if before is not None:
                places = among.columns[: len(before.gradient) - 1], among.greatest[: len(before.gradient) - 1]
                self._learner.follow(before, *places, self.seen, self._sharpened(), self.u, X, rows)
            return X
        if found.shape[1] >= self.u.size:
            self.u = np.insert(self.u, -1, np.zeros(found.shape[1] + 1 - self.u.size))
            if self._learner is not None:
                self._learner.grow(self.u.size)
        return found

    def _go_on(self, X: Any, rows: Rows, about: tuple[float, float, float], share: float) -> None:
        """Learn a block with the width of all errors so far, of which the later count more."""
        found = self._width(rows, scores_of(X, self.u[None, :-1], self.intercept)[:, 0])
        before = self.width
        self.width += min(1.0, 2 * share) * (found - before)
        if self.loss.kind.scaled and self.width > 0:
            self._learner.weigh(before / self.width)  # rows count by the inverse of the scale, also those before
        self.u = self._learner.learn(self._sharpened(), self.u, X, rows, *about)

    def _agree(self, X: Any, rows: Rows, about: tuple[float, float, float]) -> None:
        """Learn the first block anew with the errors' width that its coefficients give."""
        self.width = most = self._width(rows, np.zeros(X.shape[0]))
        for _ in range(ROUNDS):
            self._learner = self._new_learner()
            self.u = self._learner.learn(self._sharpened(), self.u, X, rows, *about)
            found = self._width(rows, scores_of(X, self.u[None, :-1], self.intercept)[:, 0])
            free = 1 - self.u.size / X.shape[0]  # the share of the errors that coefficients have not taken up
            found = found / free**0.5 if free > 0.5 else most
            if abs(found - self.width) <= 1e-3 * found:
                break
            self.width = found

    def _width(self, rows: Rows, scores: Array) -> float:
        """The scale of errors for Huber's loss; for others their mean magnitude, of classes that of scores."""
        weights = rows.s if rows.s.size > 1 else np.full(len(scores), 1 / len(scores))
        weights = weights / weights.sum()
        errors = scores if self.loss.kind.classes else scores - rows.y
        if self.loss.kind.scaled:
            away = errors if self.seen and self.u.any() else errors - np.median(errors)
            return best_scale(away, weights, self.loss.p, LEAST * (float(np.abs(rows.y).max()) or 1.0))
        return float(weights @ np.abs(errors - np.median(errors)))

    def _sharpened(self) -> Loss:
        """The loss with the width that it has by now."""
        if self.loss.kind.scaled:
            return self.loss._replace(mu=self.width)
        if self.loss.kind.classes and self.tilt is None:
            return self.loss._replace(mu=MARGIN)
        mu = self.width * max(self.seen, 1.0) ** -SHARPER or 1.0
        return self.loss._replace(mu=min(mu, MOST) if self.loss.kind.classes else mu)

    @property
    def _is_centred(self) -> bool:
        """Whether a smoothed corner is to stay where it is: a share of the rows depends on it."""
        return self.loss.kind.corners == 1 and not (self.loss.kind.classes and self.tilt is None)

    def _new_learner(self) -> Quadratic:
        return Quadratic(self.u.size, self.with_intercept, self._is_centred)


class Among:
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
