"""Figures of balls on a function: of one number, as a curve, or of two, as a surface from above."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from descend.optimizers import Optimizer
from descend.studio.lessons.figures import Begun, Drawn, Setup, told
from descend.studio.racing.course import Ball, Race
from descend.studio.racing.formula import Formula, read
from descend.studio.racing.gallery import Point, Window
from descend.studio.racing.notation import mathml
from descend.studio.racing.objective import Objective
from descend.studio.racing.rules import NO_LIMIT, Slider

Settings = Mapping[str, float]
ALONG = 601
GRID = (240, 180)


@dataclass(frozen=True)
class Roller:
    """A ball of a figure: its rule, of the figure's settings; `rate`: the slider that is its learning rate; `stable`:
    what its limit is, where that is not one of rate × curvature."""

    title: str
    made: Callable[[Settings], Optimizer]
    rate: str = "rate"
    stable: str = ""

    @property
    def name(self) -> str:
        """By which a course knows its run."""
        return self.title

    def says(self) -> str:
        """What stands where there is no limit."""
        return self.stable or NO_LIMIT


@dataclass(frozen=True)
class Surface:
    """Balls on a function of x and y. `rates`: the learning rates of all steps are drawn, too."""

    kind: ClassVar[str] = "plane"

    name: str
    title: str
    formula: str
    window: Window
    start: Point
    steps: int
    rollers: tuple[Roller, ...]
    sliders: tuple[Slider, ...]
    minima: tuple[Point, ...] = ((0.0, 0.0),)
    rates: bool = False

    @property
    def function(self) -> Formula:
        """What the balls roll on."""
        return read(self.formula)

    def told(self) -> dict[str, Any]:
        """The function, the balls and the sliders."""
        return {
            "name": self.name, "title": self.title, "kind": self.kind, "mathml": mathml(read(self.formula)),
            "window": self.window, "start": self.start, "steps": self.steps, "minima": self.minima,
            "balls": [{"title": roller.title, "rate": roller.rate} for roller in self.rollers],
            "sliders": list(map(told, self.sliders)), "noisy": NOISE in self.sliders, "rates": self.rates,
        }

    def ground(self) -> Drawn:
        """The heights on a grid."""
        heights = Objective(self.function).surface(self.window, GRID).astype(np.float32)
        return Drawn({"size": GRID, "window": self.window}, np.where(np.isfinite(heights), heights, np.nan))

    def balls(self, setup: Setup, begun: Begun) -> Iterator[Drawn]:
        """The way of each ball, as a race has it."""
        formula, noise = self.function, setup.settings.get(NOISE.name, 0.0)
        race = Race(formula, (), self.start_of(setup), self.steps, noise, setup.seed)
        for roller in self.rollers:
            path = begun.courses.of(formula).path(Ball(roller, setup.settings), race)
            head = {"steps": self.steps, "limit": None if roller.stable else path.limit, "says": roller.says()}
            yield Drawn(head | ({"rates": self._rates(roller, setup)} if self.rates else {}), path.rows)

    def start_of(self, setup: Setup) -> Point:
        """Where the balls start."""
        return setup.start

    def _rates(self, roller: Roller, setup: Setup) -> list[float]:
        schedule = roller.made(setup.settings).learning_rate  # type: ignore[attr-defined]
        return [float(schedule(step)) for step in range(self.steps + 1)]


@dataclass(frozen=True)
class Line(Surface):
    """Balls on a function of x alone; of the window, what lies between its first two numbers is shown."""

    kind: ClassVar[str] = "line"

    @property
    def function(self) -> Formula:
        """The function, beside a second coordinate that is 0 and stays there, as that is a maximum: so the largest
        eigenvalue of the Hessian is f″, whatever its sign, and Newton's equations have a solution."""
        return read(f"{self.formula} - 1e4*y^2")

    def start_of(self, setup: Setup) -> Point:
        return setup.start[0], 0.0

    def ground(self) -> Drawn:
        """The heights along the line."""
        x = np.linspace(*self.window[:2], ALONG)
        with np.errstate(all="ignore"):
            heights = np.asarray(read(self.formula)(x, 0.0 * x), np.float32)
        return Drawn({"window": self.window}, np.where(np.isfinite(heights), heights, np.nan))


NOISE = Slider("noise", "noise of the gradient", 0.0, 3.0, 1.0)
