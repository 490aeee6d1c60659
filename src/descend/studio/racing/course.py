"""Races: balls that roll are runs of the engine, begun, forked for a slider, and advanced."""

import gc
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from descend import Run, Watch, begin
from descend.optimizers import Optimizer
from descend.studio.racing.formula import Formula
from descend.studio.racing.gallery import Point
from descend.studio.racing.objective import Objective
from descend.studio.racing.recording import divisors_of, points_of, recorded

# Functions whose programs are kept.
MAX_FUNCTIONS = 8


@runtime_checkable
class Rolling(Protocol):
    """How a ball rolls: what makes its optimizer of settings, always of the same structure under one name."""

    @property
    def name(self) -> str:
        """By which its runs are known."""
        ...

    @property
    def made(self) -> Callable[[Mapping[str, float]], Optimizer]:
        """Its optimizer with these settings."""
        ...

    def says(self) -> str:
        """What there is to say of its stability limit."""
        ...


@dataclass(frozen=True)
class Ball:
    """What rolls: a rule, and its settings."""

    rule: Rolling
    settings: Mapping[str, float]


@dataclass(frozen=True)
class Race:
    """Balls on a function, from one start, for so many steps; `noise`: the standard deviation of that of gradients."""

    formula: Formula
    balls: tuple[Ball, ...]
    start: Point
    steps: int
    noise: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Path:
    """How a ball rolled: `rows` of x, y, loss and sharpness, from the start on and NaN after its end; `limit`: of rate
    × sharpness, or `None`."""

    rows: np.ndarray
    limit: float | None


@dataclass
class Course:
    """A function, and the runs that were begun on it: by rule and noise, with the start that each was begun at."""

    objective: Objective
    begun: dict[tuple[str, bool], tuple[Point, Run]] = field(default_factory=dict)

    def path(self, ball: Ball, race: Race) -> Path:
        """How one ball of a race rolls."""
        rule = ball.rule.made(ball.settings)
        # One step more: an entry of the trace is of the point before its step.
        columns = self._ready(ball.rule.name, recorded(rule), race).advance(race.steps + 1)[1].columns
        points, losses = points_of(columns), columns["loss"]
        sharpness = self.objective.sharpness(points, divisors_of(columns))
        rows = np.full((race.steps + 1, 4), np.nan, np.float32)
        with np.errstate(over="ignore"):
            rows[: len(points)] = np.column_stack([points, losses, sharpness])
        rows[~np.isfinite(rows)] = np.nan
        limit = rule.stability_limit()
        return Path(rows, None if limit is None else float(limit))

    def _ready(self, name: str, rule: Optimizer, race: Race) -> Run:
        """A run before its first step."""
        # 1. What a slider changes is a leaf: a fork compiles nothing.
        # 2. From another start a run is begun anew, as what a rule remembers at first may be about the start.
        noise = np.float64(race.noise) if race.noise > 0 else None
        start, run = self.begun.get((name, noise is None), (None, None))
        if run is not None and start == race.start:
            return run.fork(optimizer=rule, state=noise, seed=None if noise is None else race.seed)
        loss = self.objective.loss if noise is None else self.objective.noisy_loss
        watch = Watch(positions=True) if rule.solves_equations else None
        run = begin(loss, np.array(race.start), state=noise, optimizer=rule, seed=race.seed, watch=watch)
        self.begun[name, noise is None] = race.start, run
        return run


class Courses:
    """The functions that were raced on last, whose programs are kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[Formula, Course] = OrderedDict()
        self._forgotten = 0

    def of(self, formula: Formula) -> Course:
        """The course of a function."""
        course = self._known.pop(formula, None) or Course(Objective(formula))
        self._known[formula] = course
        while len(self._known) > MAX_FUNCTIONS:
            self._known.popitem(last=False)
            self._forgotten += 1
            # Its programs, a megabyte each, refer to each other, and Python would hardly ever look for that by itself:
            # the command line has told it so. To look takes a tenth of a second, so it is done once for several.
            if self._forgotten % MAX_FUNCTIONS == 0:
                gc.collect()
        return course
