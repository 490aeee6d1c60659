"""What the page of a race asks."""

from dataclasses import dataclass

from descend.errors import InputError
from descend.studio.asked import MAX_SEED, MAX_STEPS, balls_of, size_of, window_of
from descend.studio.messages import Fields, Request, told_briefly
from descend.studio.racing import gallery, rules
from descend.studio.racing.course import Race
from descend.studio.racing.formula import Formula, read
from descend.studio.racing.gallery import Window

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
    start = fields.numbers("start", 2)
    return Race(
        formula=formula_of(fields.inner("function")),
        balls=balls_of(fields, rules.BY_NAME),
        start=(start[0], start[1]),
        steps=fields.whole("steps", 1, MAX_STEPS),
        noise=fields.number("noise", 0.0, MAX_NOISE, 0.0),
        seed=fields.whole("seed", 0, MAX_SEED, 0),
    )


def surface_of(fields: Fields, id: int) -> SurfaceRequest:
    """The surface of a message."""
    return SurfaceRequest(id, formula_of(fields.inner("function")), window_of(fields), size_of(fields))


def formula_of(fields: Fields) -> Formula:
    """A function of the gallery, or a formula that is typed."""
    if "formula" in fields.found:
        return read(fields.text("formula"))
    name = fields.text("name")
    if name not in gallery.BY_NAME:
        raise InputError(f"function.name must be one of {', '.join(gallery.BY_NAME)}, but is {told_briefly(name)}")
    return read(gallery.BY_NAME[name].formula)
