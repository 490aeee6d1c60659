"""Dual coordinate ascent on problems that share their matrix, as those of each class against the others do.

Each problem makes the steps of `solvers.sdca`, but a row that is visited is so for eight problems at once: most of the
time goes by in reading it and finding the coefficients of its columns, and these lie side by side. Problems whose gap
is small enough rest; the others go on, and have their certificates together, eight problems on each thread.
"""

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from descend.linear._kernels import dual as kernels
from descend.linear._kernels import lanes
from descend.linear._kernels.lanes import LANES
from descend.linear._kernels.threads import each
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Objective
from descend.linear.problems.scalar import Problem
from descend.linear.solvers.convergence import Solution, Watch
from descend.linear.solvers.sdca import LEAST, LESS, OFTEN, SEED, Ascent, begun, solvable
from descend.stopping import Reason

SURELY, NEARLY = 0.5, 0.7  # of what the gap may be; of an ascent, which falls by this at least


def alike(problems: Sequence[Objective]) -> TypeGuard[Sequence[Problem]]:
    """Whether problems can be solved together: they differ in their targets alone, and their rows are sparse."""
    first = problems[0]
    if not (first.matrix.is_sparse and solvable(first) and np.ptp(first.l2) == 0):
        return False
    return all(
        problem.matrix is first.matrix and problem.loss == first.loss and problem.intercept == first.intercept
        and problem.tilt == first.tilt and np.array_equal(problem.rows.s, first.rows.s)
        and np.array_equal(problem.l2, first.l2) and not problem.l1.any()
        for problem in problems[1:]
    )


def solved_together(problems: Sequence[Problem], starts: Sequence[Array], watches: Sequence[Watch]) -> list[Solution]:
    """The solutions of problems that are alike, from where they start; see `alike`."""
    first = begun(problems[0], starts[0])
    ascents = [first, *(begun(*pair, first) for pair in zip(problems[1:], starts[1:], strict=True))]

    def solve(start: int, stop: int) -> list[Solution]:
        return Group(ascents[start:stop]).solved(watches[start:stop])

    groups = [(start, min(start + LANES, len(ascents))) for start in range(0, len(ascents), LANES)]
    return [solution for group in each(solve, groups) for solution in group]


class Group:
    """The ascents of at most eight problems, with their numbers side by side."""

    def __init__(self, ascents: Sequence[Ascent]) -> None:
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
        self.rows, self.state = np.flatnonzero(weights), np.array([SEED], np.uint64)

    def solved(self, watches: Sequence[Watch]) -> list[Solution]:
        """Ascend until all are done; certificates are made as `dual` makes them."""
        reasons: dict[int, Reason] = {}
        last, gain, least = np.zeros(LANES), np.full(LANES, np.inf), np.zeros(LANES)
        while True:
            self._certified(watches, reasons)
            for lane in np.flatnonzero(self.going & (gain <= least)).tolist():
                reasons[lane] = watches[lane].stalled("the slopes do not change any more")
            self.going[list(reasons)] = False
            if not self.going.any():
                return [watch.solution(reasons[lane]) for lane, watch in enumerate(watches)]
            gain, work = np.full(LANES, np.inf), 0
            less = np.ones(LANES)
            less[: len(watches)] = [_less(watch) for watch in watches]
            while np.any(gain > less * last, where=self.going) and work < OFTEN:
                gain, work = self._epoch(), work + 1
                last, least = np.where(last > 0, last, gain), np.maximum(least, LEAST * gain)
            last = gain

    def _epoch(self) -> Array:
        """One of all that are going; what each gained."""
        ascent, problem, going = self.ascents[0], self.problem, self.going
        kernels.shuffle(self.rows, len(self.rows), self.state)
        place, (p, _), X = problem.loss.kind.place("best"), problem.loss.numbers, problem.matrix.X
        gain = lanes.epoch(X.data, X.indices, X.indptr, place, p, self.y, problem.rows.s, float(ascent.inverse[0]),
                           ascent.bias, ascent.norms, self.rows, going, self.r, self.w, self.b)
        if problem.intercept:
            s = problem.rows.s
            excess = (s @ self.r if s.size > 1 else s[0] * self.r.sum(axis=0)) + problem.tilt
            to_come = ascent.bias * excess**2
            moved = going & (to_come >= gain)
            self.b -= np.where(moved, ascent.bias * excess, 0.0)
            gain = np.where(moved, to_come, gain)
        return gain

    def _certified(self, watches: Sequence[Watch], reasons: dict[int, Reason]) -> None:
        """Let the watches see where those that are going are."""
        X, w = self.problem.matrix.X, np.empty(self.w.shape[::-1])
        lanes.scores(X.data, X.indices, X.indptr, self.w, self.b, self.z)
        lanes.unpacked(self.w, w)
        for lane in np.flatnonzero(self.going).tolist():
            ascent = self.ascents[lane]
            ascent.r, ascent.w, ascent.b = self.r[:, lane].copy(), w[lane], float(self.b[lane])
            reason = watches[lane].see(ascent.point(self.z[lane]))
            self.w[:, lane] = ascent.w  # it may have been made anew
            if reason is not None:
                reasons[lane] = reason


def _less(watch: Watch) -> float:
    """Of an ascent by epoch, when the next certificate is made: when it should be the last, as the gap falls alike."""
    return min(max(SURELY * watch.allowed / watch.gap, LESS**2), NEARLY) if watch.gap > 0 else NEARLY


def _lines(columns: int) -> Array:
    """Zeros (columns, lanes), each column in a line of the cache of its own."""
    room = np.zeros((columns + 1) * LANES)
    first = -room.ctypes.data // room.itemsize % LANES
    return room[first : first + columns * LANES].reshape(columns, LANES)
