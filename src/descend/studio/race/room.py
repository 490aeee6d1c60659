"""The room "Race on a function": what there is to choose from, and balls and surfaces as frames."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from descend.studio.asked import told_rules
from descend.studio.messages import Fields, Request, frame, given_up
from descend.studio.race.asking import RaceRequest, SurfaceRequest, race_of, surface_of
from descend.studio.racing import gallery, rules
from descend.studio.racing.course import Courses
from descend.studio.racing.formula import read
from descend.studio.racing.notation import mathml

# Seconds, after which a race gives way to a newer one: one that compiles takes longer, that of a slider does not, so
# that while somebody drags it the last ball moves as well as the first.
PATIENCE = 0.1
# What races at first.
FIRST_RULES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")


class RaceRoom:
    """A page that shows a race. The functions that all pages know are shared."""

    # A surface first, as nothing is compiled for it.
    lanes: ClassVar[Mapping[str, tuple[str, ...]]] = {"engine": ("surface", "race")}

    def __init__(self, courses: Courses) -> None:
        self.courses = courses

    def welcome(self) -> dict[str, Any]:
        """The gallery and the rules."""
        functions = [
            {"name": one.name, "title": one.title, "formula": one.formula, "mathml": mathml(read(one.formula)),
             "window": one.window, "start": one.start, "minima": one.minima, "says": one.says, "noise": one.noise}
            for one in gallery.GALLERY
        ]
        return {"functions": functions, "rules": told_rules(rules.OFFERED), "first": FIRST_RULES}

    def request(self, kind: str, fields: Fields, id: int) -> Request:
        """A race, or a surface."""
        return RaceRequest(id, race_of(fields)) if kind == "race" else surface_of(fields, id)

    def frames(self, request: Request, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        """Of a surface one frame, of a race one for each ball and one that says that this was all."""
        if isinstance(request, RaceRequest):
            yield from self._race(request, is_newer)
        elif isinstance(request, SurfaceRequest):
            yield self._surface(request)

    def close(self) -> None:
        """Nothing is kept for a page."""

    def _race(self, request: RaceRequest, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        begin, race = time.perf_counter(), request.race
        course = self.courses.of(race.formula)
        for i, ball in enumerate(race.balls):
            if i and (seconds := time.perf_counter() - begin) > PATIENCE and is_newer():
                yield given_up(request.id, seconds)
                return
            path = course.path(ball, race)
            yield frame({"kind": "ball", "id": request.id, "ball": i, "steps": race.steps, "limit": path.limit,
                         "says": ball.rule.says()}, path.rows)
        yield frame({"kind": "done", "id": request.id, "seconds": time.perf_counter() - begin, "last": True})

    def _surface(self, request: SurfaceRequest) -> bytes:
        """The heights on the grid, the lowest and the highest that are finite, and the formula as MathML."""
        heights = self.courses.of(request.formula).objective.surface(request.window, request.size)
        with np.errstate(over="ignore"):
            heights = heights.astype(np.float32)
        heights[~np.isfinite(heights)] = np.nan
        finite = heights[np.isfinite(heights)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
        return frame({"kind": "surface", "id": request.id, "window": request.window, "size": request.size, "last": True,
                      "mathml": mathml(request.formula), "low": low, "high": high}, heights)
