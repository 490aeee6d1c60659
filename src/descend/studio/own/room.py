"""The room "Your own loss": what the file has, and balls, surfaces and curvatures as frames."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from descend.errors import InputError
from descend.studio.asked import told_rules
from descend.studio.messages import Fields, Request, frame, given_up
from descend.studio.own.asking import FileRequest, HeightsRequest, RollRequest, SharpnessRequest, asked_of
from descend.studio.own.balls import Way, every_of
from descend.studio.own.ground import Ground
from descend.studio.own.opened_file import Loaded, OpenedFile
from descend.studio.own.plane import Plane, laid_through, of_two
from descend.studio.racing.gallery import Point, Window

# What rolls at first, where the file's own optimizer is the first of all.
FIRST = ("own", "sgd", "momentum", "adam")
# Seconds, after which a race gives way to a newer one.
PATIENCE = 0.1
# Of a surface: how many times as coarse it is at first, and the seconds that a finer one may take, or be skipped for.
COARSENESS = (15, 7.5, 4, 2, 1)
MAX_SECONDS, AT_ONCE = 10.0, 0.3

Frames = Generator[bytes, None, Any]


class OwnRoom:
    """A page that shows a model, as it was when the page was opened; `file`: where it can be read again, if it can."""

    # Lanes have threads of their own: a race does not wait for a surface that takes long.
    lanes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "engine": ("reload", "race"), "surface": ("surface",), "sharpness": ("sharpness",), "file": ("file",)}

    def __init__(self, loaded: Loaded, file: OpenedFile | None = None) -> None:
        self.loaded, self.file = loaded, file
        self.plane: Plane | None = None
        self.ways: tuple[Way, ...] = ()

    @property
    def ground(self) -> Ground:
        """What is raced on."""
        return self.loaded.ground

    def welcome(self) -> dict[str, Any]:
        """What the file has, as the one function that there is, and the rules."""
        ground, model = self.ground, self.ground.model
        function = {"name": "own", "title": model.name, "formula": "", "window": None, "noise": 0.0,
                    "start": ground.start.tolist() if ground.is_plane else None,
                    "minima": model.minima if ground.is_plane else (), "says": model.says}
        own = {"file": model.name, "size": ground.size, "rows": ground.rows, "batch_size": model.batch_size,
               "is_plane": ground.is_plane, "axes": ground.axes if ground.is_plane else []}
        return {"functions": [function], "rules": told_rules(self.loaded.rules.values()), "first": FIRST, "own": own}

    def request(self, kind: str, fields: Fields, id: int) -> Request:
        return asked_of(kind, fields, id, self.loaded.rules)

    def frames(self, request: Request, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        """The answer to whatever is asked."""
        if isinstance(request, RollRequest):
            yield from self._race(request, is_newer)
        elif isinstance(request, HeightsRequest):
            yield from self._surface(request, is_newer)
        elif isinstance(request, SharpnessRequest):
            yield from self._sharpness(request, is_newer)
        elif isinstance(request, FileRequest):
            yield self._file(request)

    def close(self) -> None:
        """What was kept of ways goes."""
        self.ways = ()

    def _file(self, request: FileRequest) -> bytes:
        if self.file is None:
            return frame({"kind": "file", "id": request.id, "changed": False, "last": True})
        if request.again:
            self.file.read_again()
            return frame({"kind": "reloaded", "id": request.id, "last": True})
        return frame({"kind": "file", "id": request.id, "changed": self.file.has_changed, "last": True})

    def _race(self, request: RollRequest, is_newer: Callable[[], bool]) -> Frames:
        """A frame for each ball, as soon as there is a plane to show it on; between them, how far they are."""
        begin, start, ways = time.perf_counter(), self._start(request.start), []
        gives_way = lambda: time.perf_counter() - begin > PATIENCE and is_newer()
        for i in range(len(request.balls)):
            way = yield from self._rolled(request, i, start, gives_way)
            if way is None:
                yield given_up(request.id, time.perf_counter() - begin)
                return
            ways.append(way)
            if self.plane is not None and not request.lay:
                yield self._ball(request, i, way, self.plane)
        if self.plane is None or request.lay:
            self.plane = plane = self._laid(ways)
            place = plane.places(start[None])[0].tolist()
            yield frame({"kind": "plane", "id": request.id, "window": plane.window, "start": place})
            yield from (self._ball(request, i, way, plane) for i, way in enumerate(ways))
        self.ways = tuple(ways)
        yield frame({"kind": "done", "id": request.id, "seconds": time.perf_counter() - begin, "last": True,
                     "share": 1.0 if self.ground.is_plane else self.plane.share(ways),
                     "every": every_of(self.ground.size, request.steps, len(ways))})

    def _rolled(self, request: RollRequest, i: int, start: np.ndarray, gives_way: Callable[[], bool]) -> Frames:
        """The way of one ball, or nothing where another race is asked for meanwhile."""
        every = every_of(self.ground.size, request.steps, len(request.balls))
        rolling = self.loaded.balls.roll(request.balls[i], start, request.steps, request.seed, every)
        while True:
            if gives_way():
                return None
            try:
                step = next(rolling)
            except StopIteration as end:
                return end.value
            yield frame({"kind": "progress", "id": request.id, "ball": i, "step": step})

    def _ball(self, request: RollRequest, i: int, way: Way, plane: Plane) -> bytes:
        rows = np.full((request.steps + 1, 4), np.nan)
        reached = way.steps[-1] + 1
        for column, places in enumerate(plane.places(way.points).T):
            # Between two points that are kept, on the line from one to the other.
            rows[:reached, column] = np.interp(np.arange(reached), way.steps, places)
        rows[:, 2] = way.losses
        if self.ground.is_plane:
            rows[way.steps, 3] = self.ground.sharpness_of_two(way.points, _told(np.stack(list(way.divisors.values()))))
        with np.errstate(over="ignore"):
            rows = rows.astype(np.float32)
        rows[~np.isfinite(rows)] = np.nan
        return frame({"kind": "ball", "id": request.id, "ball": i, "steps": request.steps, "limit": way.limit,
                      "says": request.balls[i].rule.says(), "ended": way.ended}, rows)

    def _laid(self, ways: list[Way]) -> Plane:
        return of_two(ways, self.ground.model.minima) if self.ground.is_plane else laid_through(ways)

    def _start(self, place: Point | None) -> np.ndarray:
        """Where the balls start: the file's own parameters, moved along the plane to a place."""
        if place is None:
            return self.ground.start
        if self.ground.is_plane:
            return np.array(place)
        if self.plane is None:
            raise InputError("there is no plane yet, on which a start could be told: leave it out")
        return self.plane.moved(self.ground.start, place)

    def _surface(self, request: HeightsRequest, is_newer: Callable[[], bool]) -> Frames:
        """The heights, coarse at first, and finer as far as the time allows."""
        plane, window, cost = self.plane or self._identity(), request.window, 0.0
        sizes = [_coarser(request.size, factor) for factor in COARSENESS]
        for i, size in enumerate(sizes):
            finer = sizes[i + 1 :]
            if cost and finer and cost * np.prod(finer[0]) < AT_ONCE:
                continue
            heights, begin = [], time.perf_counter()
            for part in self.ground.heights(plane.origin, plane.axes, _grid(window, size)):
                heights.append(part)
                if is_newer():
                    yield given_up(request.id)
                    return
            cost = (time.perf_counter() - begin) / np.prod(size)
            is_last = not finer or bool(cost * np.prod(finer[0]) > MAX_SECONDS)
            yield _surface_frame(request.id, window, size, np.concatenate(heights), is_last)
            if is_last:
                return

    def _identity(self) -> Plane:
        if not self.ground.is_plane:
            raise InputError("there is no plane yet: let balls roll first")
        return Plane(np.zeros(2), np.eye(2), (0.0, 1.0, 0.0, 1.0))

    def _sharpness(self, request: SharpnessRequest, is_newer: Callable[[], bool]) -> Frames:
        """Of more than two parameters, along each way: what products with the Hessian tell at some of its steps."""
        for i, way in enumerate(() if self.ground.is_plane else self.ways):
            told: dict[int, float] = {}
            for step in sorted(way.divisors, reverse=True):
                if is_newer():
                    yield given_up(request.id)
                    return
                point, divisor = way.points[np.searchsorted(way.steps, step)], way.divisors[step]
                told[step] = self.ground.sharpness(point, _told(divisor))
            yield frame({"kind": "sharpness", "id": request.id, "ball": i}, _between(told, len(way.losses)))
        yield frame({"kind": "curved", "id": request.id, "last": True})


def _told(divisors: np.ndarray) -> np.ndarray:
    """What a rule divides by, and 1 where it does not say so."""
    return np.where(np.isnan(divisors), 1.0, divisors)


def _between(told: dict[int, float], count: int) -> np.ndarray:
    """A value at each of so many steps, from those at some: on the line of their logarithms, where all have one."""
    known = [step for step in sorted(told) if np.isfinite(told[step])]
    if not known:
        return np.full(count, np.nan)
    values = np.array([told[step] for step in known])
    bend, back = (np.log, np.exp) if (values > 0).all() else (np.array, np.array)
    return back(np.interp(np.arange(count), known, bend(values)))


def _coarser(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(2, round(size[0] / factor)), max(2, round(size[1] / factor))


def _grid(window: Window, size: tuple[int, int]) -> np.ndarray:
    """The places of a grid, a row for each y, from the lowest on."""
    x0, x1, y0, y1 = window
    return np.stack([one.ravel() for one in np.meshgrid(np.linspace(x0, x1, size[0]), np.linspace(y0, y1, size[1]))], 1)


def _surface_frame(id: int, window: Window, size: tuple[int, int], heights: np.ndarray, is_last: bool) -> bytes:
    with np.errstate(over="ignore"):
        heights = heights.astype(np.float32)
    heights[~np.isfinite(heights)] = np.nan
    return frame({"kind": "surface", "id": id, "window": window, "size": size, "mathml": "", "last": is_last}, heights)
