"""What the page of a race asks."""

from dataclasses import dataclass

from descend.errors import InputError
from descend.studio.messages import Fields, Request, told_briefly
from descend.studio.offering import ball_of
from descend.studio.racing import gallery
from descend.studio.racing.course import Race
from descend.studio.racing.formula import Formula, read
from descend.studio.racing.gallery import Window

MAX_BALLS, MAX_STEPS = 12, 2000
# Of a grid, in each direction.
MAX_CELLS = 512
MAX_NOISE = 1e3


@dataclass(frozen=True)
class RaceRequest(Request):
    """A race that is asked for."""

    race: Race


@dataclass(frozen=True)
class SurfaceRequest(Request):
    """A surface that is asked for: a function over a window, in so many columns and rows."""

    formula: Formula
    window: Window
    size: tuple[int, int]


def race_of(fields: Fields) -> Race:
    """The race of a message."""
    balls = fields.items("balls", 1, MAX_BALLS)
    start = fields.numbers("start", 2)
    return Race(
        formula=formula_of(fields.inner("function")),
        balls=tuple(ball_of(Fields(ball, f"balls[{i}]")) for i, ball in enumerate(balls)),
        start=(start[0], start[1]),
        steps=fields.whole("steps", 1, MAX_STEPS),
        noise=fields.number("noise", 0.0, MAX_NOISE, 0.0),
        seed=fields.whole("seed", 0, 2**31 - 1, 0),
    )


def surface_of(fields: Fields, id: int) -> SurfaceRequest:
    """The surface of a message."""
    x0, x1, y0, y1 = fields.numbers("window", 4)
    if not (x0 < x1 and y0 < y1):
        raise InputError(f"window must be x0 < x1 and y0 < y1, but is {[x0, x1, y0, y1]}")
    size = fields.items("size", 2, 2)
    if not all(type(cells) is int and 2 <= cells <= MAX_CELLS for cells in size):
        raise InputError(f"size must be two whole numbers from 2 to {MAX_CELLS}, but is {told_briefly(size)}")
    return SurfaceRequest(id, formula_of(fields.inner("function")), (x0, x1, y0, y1), (size[0], size[1]))


def formula_of(fields: Fields) -> Formula:
    """A function of the gallery, or a formula that is typed."""
    if "formula" in fields.found:
        return read(fields.text("formula"))
    name = fields.text("name")
    if name not in gallery.BY_NAME:
        raise InputError(f"function.name must be one of {', '.join(gallery.BY_NAME)}, but is {told_briefly(name)}")
    return read(gallery.BY_NAME[name].formula)
