"""Balls on a model's loss: runs of the engine that are taken further piece by piece, and their ways."""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from descend import Run, begin
from descend.errors import InputError
from descend.optimizers import Optimizer
from descend.studio.own.ground import Ground
from descend.studio.own.model_file import blaming
from descend.studio.racing.course import Ball
from descend.studio.racing.recording import DIVISOR, POINT, Recorded

# Seconds that a ball may take from its second piece on, as the first has its step compiled; and a piece.
BALL_SECONDS, PIECE_SECONDS = 10.0, 0.2
FIRST_PIECE = 4
# Bytes of the points of all balls that a page keeps, and of those of one piece.
KEPT_BYTES, PIECE_BYTES = 2**28, 2**26
# Places along a way of more than two parameters where the sharpness is told, ever further apart.
MARKS = 9


@dataclass(frozen=True)
class Way:
    """How a ball rolled. `losses`: at each step, NaN after its end; `points`: float32, at `steps`; `divisors`: what its
    rule divided by, at the steps where the sharpness is to be told; `limit`: of rate × sharpness, or `None`; `ended`:
    why it did before its time, or nothing."""

    losses: np.ndarray
    steps: np.ndarray
    points: np.ndarray
    divisors: dict[int, np.ndarray]
    limit: float | None
    ended: str

    @property
    def lowest(self) -> float:
        """Its loss at the end, or infinity where it has left the numbers."""
        has_left = np.isnan(self.losses[-1]) and not self.ended
        return float("inf") if has_left else float(self.losses[self.steps[-1]])

    @property
    def told(self) -> np.ndarray:
        """Which of the points are no higher above its lowest than twice where it began."""
        losses = self.losses[self.steps]
        return losses <= 2 * losses[:1] - losses.min(initial=np.inf)


class Balls:
    """The runs that were begun on a ground, by rule, each with the start that it was begun at."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._begun: dict[str, tuple[bytes, Run]] = {}

    def roll(self, ball: Ball, start: np.ndarray, steps: int, seed: int, every: int) -> Generator[int, None, Way]:
        """How a ball rolls from a start; yields how many steps it has made, now and then. `every`: of how many steps
        one point is kept."""
        rule = ball.rule.made(ball.settings)
        with blaming(self.ground.model.path):
            run = self._ready(ball.rule.name, Recorded(rule), start, seed)
            kept = _Kept(steps, every, range(steps + 1) if self.ground.is_plane else _marks(steps))
            size, end, ended = FIRST_PIECE, float("inf"), ""
            # One step more: an entry of the trace is of the point before its step.
            while kept.count <= steps and not run.is_halted and not ended:
                begin_piece = time.perf_counter()
                run, trace = run.advance(min(size, steps + 1 - kept.count))
                kept.take(trace.columns)
                now = time.perf_counter()
                end = min(end, now + BALL_SECONDS)
                if now - begin_piece < PIECE_SECONDS:
                    size = min(2 * size, max(1, PIECE_BYTES // (16 * self.ground.size)))
                if now > end and kept.count <= steps:
                    ended = f"it was stopped after {BALL_SECONDS:g} seconds, at step {kept.count - 1}"
                yield min(kept.count, steps)
            limit = rule.stability_limit()
            return kept.way(None if limit is None else float(limit), ended)

    def _ready(self, name: str, rule: Optimizer, start: np.ndarray, seed: int) -> Run:
        """A run before its first step: what a slider changes is a leaf, so that a fork compiles nothing; from another
        start a run is begun anew, as what a rule remembers at first may be about the start."""
        ground, model = self.ground, self.ground.model
        where, run = self._begun.get(name, (b"", None))
        if run is not None and where == start.tobytes():
            return run.fork(optimizer=rule, seed=seed)
        params = ground.run.descent.whole(ground.around.tree(start))
        run = begin(model.loss, params, model.data, state=model.state, optimizer=rule, batch_size=model.batch_size,
                    dtype=model.dtype, seed=seed)
        self._begun[name] = start.tobytes(), run
        return run


def every_of(size: int, steps: int, balls: int) -> int:
    """Of how many steps one point is kept, so that those of all balls have room."""
    return max(1, -(-(steps + 1) * size * balls * 4 // KEPT_BYTES))


def _marks(steps: int) -> list[int]:
    return [0, *np.unique(np.geomspace(1, steps, MARKS - 1).astype(int)).tolist()]


class _Kept:
    """What is kept of a trace that comes in pieces."""

    def __init__(self, steps: int, every: int, marks: "range | list[int]") -> None:
        self.count = 0
        self.losses = np.full(steps + 1, np.nan, np.float32)
        self.every, self.marks = every, set(marks)
        self.steps: list[int] = []
        self.points: list[np.ndarray] = []
        self.divisors: dict[int, np.ndarray] = {}

    def take(self, columns: dict[str, np.ndarray]) -> None:
        with np.errstate(over="ignore"):
            losses, points = (columns[name].astype(np.float32) for name in ("loss", POINT))
        for i, (loss, point) in enumerate(zip(losses, points, strict=True)):
            step = self.count + i
            # Where it left the numbers it is over.
            if not (np.isfinite(loss) and np.isfinite(point).all()):
                break
            self.losses[step] = loss
            if step % self.every == 0 or step in self.marks or step == len(self.losses) - 1:
                self.steps.append(step)
                self.points.append(point.copy())
            if step in self.marks:
                self.divisors[step] = columns[DIVISOR][i].copy()
        self.count += len(losses)

    def way(self, limit: float | None, ended: str) -> Way:
        """**Raises** `InputError` if it could not even begin."""
        if not self.steps:
            raise InputError("the loss is not finite where the balls start: start elsewhere")
        return Way(self.losses, np.array(self.steps, int), np.array(self.points), self.divisors, limit, ended)
