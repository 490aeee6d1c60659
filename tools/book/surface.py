"""A function of two numbers as a picture from above, and what rolled on it."""

import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from descend.studio.racing.formula import read
from descend.studio.racing.gallery import Example
from descend.studio.racing.objective import Objective
from tools.book.racing import Track
from tools.book.svg import path, picture, short

WIDTH = 640
GRID, BANDS = 81, 12


def figure(function: Example, tracks: Sequence[Track]) -> str:
    """A figure of a race: its last moment as it stands; `book.js` adds the controls to play it."""
    place = _Place(function)
    ways = [place(track.points) for track in tracks]
    trails = "".join(map(_trail, range(len(ways)), ways))
    minima = "".join(_cross(*place(np.array([minimum]))[0]) for minimum in function.minima)
    inside = f"{_ground(function)}{minima}{trails}"
    titles = " and ".join(track.title for track in tracks)
    drawn = picture(WIDTH, place.height, inside, f"{function.title} from above, with the ways of {titles}", "surface")
    return f'{drawn}<script type="application/json">{_data(tracks, ways)}</script>'


def _trail(i: int, way: np.ndarray) -> str:
    """A way, and its ball at the end of it, if that is anywhere."""
    drawn = f'<path class="trail ink{i}" d="{path(way[np.isfinite(way).all(1)])}"/>'
    x, y = way[-1]
    is_there = bool(np.isfinite(way[-1]).all())
    return drawn + (f'<circle class="ball back{i}" r="7" cx="{short(x)}" cy="{short(y)}"/>' if is_there else "")


class _Place:
    """From the plane of a function to pixels."""

    def __init__(self, function: Example) -> None:
        self.x0, x1, self.y0, self.y1 = function.window
        self.scale = WIDTH / (x1 - self.x0)
        # As high as it is in truth, unless that is higher than wide.
        self.height = min(0.72 * WIDTH, self.scale * (self.y1 - self.y0))
        self.tall = self.height / (self.y1 - self.y0)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            placed = np.column_stack([(points[:, 0] - self.x0) * self.scale, (self.y1 - points[:, 1]) * self.tall])
            # Far outside nothing is seen, and a browser cannot draw it.
            return np.where(np.abs(placed) < 5 * WIDTH, placed, np.nan)


@lru_cache
def _ground(function: Example) -> str:
    """Bands of equal share of the window: levels that are spread by value would all lie on one slope."""
    from contourpy import contour_generator  # of the extra `docs`, which only those who draw need

    place = _Place(function)
    heights = Objective(read(function.formula)).surface(function.window, (GRID, GRID))
    levels = np.unique(np.quantile(heights[np.isfinite(heights)], np.linspace(0, 1, BANDS + 1)))
    x0, x1, y0, y1 = function.window
    made: Any = contour_generator(np.linspace(x0, x1, GRID), np.linspace(y0, y1, GRID), heights)
    found = ['<rect class="band0" width="100%" height="100%"/>']
    for i, level in enumerate(levels[1:-1], 1):
        lines = "".join(path(place(line)) for line in made.lines(level))
        areas = "".join(path(place(line)) for line in _areas(made, level, levels[-1]))
        found.append(f'<path class="band{i}" fill-rule="evenodd" d="{areas}"/><path class="contour" d="{lines}"/>')
    return "".join(found)


def _areas(made: Any, low: float, high: float) -> list[np.ndarray]:
    points, offsets = made.filled(low, high + 1.0)  # the highest is a part of the last
    rings = zip(points, offsets, strict=True)
    return [ring[a:b] for ring, offset in rings for a, b in pairwise(offset)]


def _cross(x: float, y: float) -> str:
    return f'<path class="minimum" d="M{short(x - 5)} {short(y)}h10M{short(x)} {short(y - 5)}v10"/>'


def _data(tracks: Sequence[Track], ways: Sequence[np.ndarray]) -> str:
    """What the controls need: a title, places and losses of each."""
    def rounded(values: np.ndarray, digits: int) -> list:
        return [None if not np.isfinite(value) else float(f"{value:.{digits}g}") for value in values.ravel()]

    told = [{"title": track.title, "places": rounded(way, 4), "losses": rounded(track.losses, 4)}
            for track, way in zip(tracks, ways, strict=True)]
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
