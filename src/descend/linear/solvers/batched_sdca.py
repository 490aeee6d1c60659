"""Dual coordinate ascent on problems that share their matrix, as those of each class against the others do.

Each problem makes the steps of `solvers.sdca`, but a row that is visited is so for eight problems at once: most of the
time goes by in reading it and finding the coefficients of its columns, and these lie side by side. Problems whose gap
is small enough rest; the others go on, and have their certificates together, eight problems on each thread.
"""

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from descend.linear._kernels import batched_sdca as lanes
from descend.linear._kernels import sdca as kernels
from descend.linear._kernels.batched_sdca import LANES
from descend.linear._kernels.threads import each
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Problem
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor, Solution
from descend.linear.solvers.sdca import (
    ASCENT_FLOOR,
    CERTIFICATE_ASCENT,
    EPOCHS_PER_CERTIFICATE,
    SHUFFLE_SEED,
    DualState,
    dual_start,
    has_dual_steps,
)
from descend.stopping import Reason

# Of what the gap may be; of an ascent, which falls by this at least.
GAP_MARGIN, ASCENT_DECREASE = 0.5, 0.7


def can_batch(problems: Sequence[Problem]) -> TypeGuard[Sequence[ScalarProblem]]:
    """Whether problems can be solved together: they differ in their targets alone, and their rows are sparse."""
    first = problems[0]
    if not (first.matrix.is_sparse and has_dual_steps(first) and np.ptp(first.penalty.l2) == 0):
        return False
    return all(
        problem.matrix is first.matrix and problem.loss == first.loss and problem.intercept == first.intercept
        and problem.linear_term == first.linear_term and np.array_equal(problem.rows.s, first.rows.s)
        and np.array_equal(problem.penalty.l2, first.penalty.l2) and problem.penalty.is_smooth
        for problem in problems[1:]
    )


def batched_sdca(
    problems: Sequence[ScalarProblem], starts: Sequence[Array], monitors: Sequence[ConvergenceMonitor]
) -> list[Solution]:
    """The solutions of problems that are alike, from where they start; see `can_batch`."""
    first = dual_start(problems[0], starts[0])
    ascents = [first, *(dual_start(*pair, first) for pair in zip(problems[1:], starts[1:], strict=True))]

    def solve(start: int, stop: int) -> list[Solution]:
        return Batch(ascents[start:stop]).solved(monitors[start:stop])

    groups = [(start, min(start + LANES, len(ascents))) for start in range(0, len(ascents), LANES)]
    return [solution for group in each(solve, groups) for solution in group]


class Batch:
    """The ascents of at most eight problems, with their numbers side by side."""

    def __init__(self, ascents: Sequence[DualState]) -> None:
        self.ascents = ascents
        self.problem = problem = ascents[0].problem
        rows, columns = problem.matrix.shape
        self.y, self.r = np.ones((rows, LANES), problem.rows.y.dtype), np.zeros((rows, LANES))
        self.w, self.b = _lines(columns), np.zeros(LANES)
        self.z = np.empty((LANES, rows))
        for lane, ascent in enumerate(ascents):
            self.y[:, lane], self.r[:, lane] = ascent.problem.rows.y, ascent.r
            self.w[:, lane], self.b[lane] = ascent.w, ascent.b
        self.going = np.arange(LANES) < len(ascents)
        weights = np.broadcast_to(problem.rows.s, rows)
        self.rows, self.state = np.flatnonzero(weights), np.array([SHUFFLE_SEED], np.uint64)

    def solved(self, monitors: Sequence[ConvergenceMonitor]) -> list[Solution]:
        """Ascend until all are done; certificates are made as `dual` makes them."""
        reasons: dict[int, Reason] = {}
        last, gain, least = np.zeros(LANES), np.full(LANES, np.inf), np.zeros(LANES)
        while True:
            self._certified(monitors, reasons)
            for lane in np.flatnonzero(self.going & (gain <= least)).tolist():
                reasons[lane] = monitors[lane].stalled("the slopes do not change any more")
            self.going[list(reasons)] = False
            if not self.going.any():
                return [monitor.solution(reasons[lane]) for lane, monitor in enumerate(monitors)]
            # All lanes go on until each has fallen enough for its next certificate: those are made together, as the
            # pass over the rows is what takes the time.
            gain, work = np.full(LANES, np.inf), 0
            less = np.ones(LANES)
            less[: len(monitors)] = [_less(monitor) for monitor in monitors]
            while np.any(gain > less * last, where=self.going) and work < EPOCHS_PER_CERTIFICATE:
                gain, work = self._epoch(), work + 1
                last, least = np.where(last > 0, last, gain), np.maximum(least, ASCENT_FLOOR * gain)
            last = gain

    def _epoch(self) -> Array:
        """One of all that are going; what each gained."""
        ascent, problem, going = self.ascents[0], self.problem, self.going
        kernels.shuffle(self.rows, len(self.rows), self.state)
        place, (p, _), X = problem.loss.kind.address_of("best"), problem.loss.parameters, problem.matrix.X
        gain = lanes.epoch(X.data, X.indices, X.indptr, place, p, self.y, problem.rows.s, float(ascent.inverse[0]),
                           ascent.bias, ascent.norms, self.rows, going, self.r, self.w, self.b)
        if problem.intercept:
            s = problem.rows.s
            excess = (s @ self.r if s.size > 1 else s[0] * self.r.sum(axis=0)) + problem.linear_term
            to_come = ascent.bias * excess**2
            moved = going & (to_come >= gain)
            self.b -= np.where(moved, ascent.bias * excess, 0.0)
            gain = np.where(moved, to_come, gain)
        return gain

    def _certified(self, monitors: Sequence[ConvergenceMonitor], reasons: dict[int, Reason]) -> None:
        """Let the monitors see where those that are going are."""
        X, w = self.problem.matrix.X, np.empty(self.w.shape[::-1])
        lanes.scores(X.data, X.indices, X.indptr, self.w, self.b, self.z)
        lanes.unpacked(self.w, w)
        for lane in np.flatnonzero(self.going).tolist():
            ascent = self.ascents[lane]
            ascent.r, ascent.w, ascent.b = self.r[:, lane].copy(), w[lane], float(self.b[lane])
            reason = monitors[lane].observe(ascent.point(self.z[lane]))
            # The certificate may have made the coefficients anew, where rounding had carried them away.
            self.w[:, lane] = ascent.w
            if reason is not None:
                reasons[lane] = reason


def _less(monitor: ConvergenceMonitor) -> float:
    """Of an ascent by epoch, when the next certificate is made: when it should be the last, as the gap falls alike."""
    return (
        min(max(GAP_MARGIN * monitor.allowed_gap / monitor.gap, CERTIFICATE_ASCENT**2), ASCENT_DECREASE)
        if monitor.gap > 0
        else ASCENT_DECREASE
    )


def _lines(columns: int) -> Array:
    """Zeros (columns, lanes), each column in a line of the cache of its own."""
    # NumPy aligns to 16 or 64 bytes, as it likes; a column that lies in two lines costs two misses of the cache.
    room = np.zeros((columns + 1) * LANES)
    first = -room.ctypes.data // room.itemsize % LANES
    return room[first : first + columns * LANES].reshape(columns, LANES)
