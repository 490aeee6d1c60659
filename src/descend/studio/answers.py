"""What the page is answered: generators of frames, which the engine's thread goes through one by one."""

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

import numpy as np

from descend.studio import gallery, rules
from descend.studio.formula import read
from descend.studio.messages import RaceRequest, SurfaceRequest, frame
from descend.studio.notation import mathml
from descend.studio.race import Courses


def welcome() -> bytes:
    """What there is to choose from."""
    functions = [
        {"name": one.name, "title": one.title, "formula": one.formula, "mathml": mathml(read(one.formula)),
         "window": one.window, "start": one.start, "minima": one.minima, "says": one.says, "noise": one.noise}
        for one in gallery.GALLERY
    ]
    offered = [
        {"name": rule.name, "title": rule.title, "paper": rule.paper, "settings": list(map(vars, rule.sliders))}
        for rule in rules.OFFERED
    ]
    return frame({"kind": "welcome", "functions": functions, "rules": offered, "version": version("descend")})


def race_frames(request: RaceRequest, courses: Courses, gives_way: Callable[[float], bool]) -> Iterator[bytes]:
    """A frame for each ball, as soon as it has rolled, and one that says that this was all.

    `gives_way`: whether to give up between two balls, by the seconds that the race has taken.
    """
    begin, race = time.perf_counter(), request.race
    course = courses.of(race.formula)
    for i, ball in enumerate(race.balls):
        if i and gives_way(seconds := time.perf_counter() - begin):
            yield given_up(request, seconds)
            return
        path = course.path(ball, race)
        yield frame({"kind": "ball", "id": request.id, "ball": i, "steps": race.steps, "limit": path.limit,
                     "says": ball.rule.says()}, path.rows)
    yield frame({"kind": "done", "id": request.id, "seconds": time.perf_counter() - begin})


def given_up(request: RaceRequest | SurfaceRequest, seconds: float = 0.0) -> bytes:
    """The frame that ends the answer to a request because there is a newer one, after so many seconds."""
    return frame({"kind": "done", "id": request.id, "seconds": seconds, "given_up": True})


def surface_frames(request: SurfaceRequest, courses: Courses) -> Iterator[bytes]:
    """One frame: the heights on the grid, the lowest and the highest that are finite, and the formula as MathML."""
    heights = courses.of(request.formula).objective.surface(request.window, request.size)
    with np.errstate(over="ignore"):
        shown = heights.astype(np.float32)
    shown[~np.isfinite(shown)] = np.nan
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
    yield frame({"kind": "surface", "id": request.id, "window": request.window, "size": request.size,
                 "mathml": mathml(request.formula), "low": low, "high": high}, shown)
