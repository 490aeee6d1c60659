"""What the page of the lessons asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from descend.errors import InputError
from descend.studio.asked import MAX_SEED
from descend.studio.lessons.catalogue import LESSON_BY_NAME, Lesson
from descend.studio.lessons.figures import Figure, Setup
from descend.studio.messages import Fields, Request, told_briefly

T = TypeVar("T")


@dataclass(frozen=True)
class PageRequest(Request):
    """A lesson that is opened."""

    lesson: Lesson


@dataclass(frozen=True)
class GroundRequest(Request):
    """What lies below a figure."""

    figure: Figure


@dataclass(frozen=True)
class FigureRequest(Request):
    """What moves in a figure, from a setup."""

    figure: Figure
    setup: Setup


def lesson_of(fields: Fields) -> Lesson:
    """The lesson of a message."""
    return _known("lesson", fields, LESSON_BY_NAME)


def figure_of(fields: Fields) -> Figure:
    """The figure of a message."""
    return _known("figure", fields, {figure.name: figure for figure in lesson_of(fields).figures})


def setup_of(fields: Fields, figure: Figure) -> Setup:
    """Numbers for the sliders that the figure has, and defaults for those that are not told."""
    settings, sliders = fields.settings(), {slider.name: slider for slider in figure.sliders}
    if unknown := settings.keys() - sliders.keys():
        known = ", ".join(sliders)
        raise InputError(f"settings has no {told_briefly(min(unknown))} in this figure: there are {known}")
    for name, value in settings.items():
        if not sliders[name].low <= value <= sliders[name].high:
            low, high = sliders[name].low, sliders[name].high
            raise InputError(f"settings.{name} must be a number from {low:g} to {high:g}, but is {told_briefly(value)}")
    start = fields.numbers("start", 2)
    defaults = {name: slider.default for name, slider in sliders.items()}
    return Setup(defaults | settings, (start[0], start[1]), fields.whole("seed", 0, MAX_SEED, 0))


def _known(name: str, fields: Fields, known: Mapping[str, T]) -> T:
    found = fields.text(name)
    if found not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, but is {told_briefly(found)}")
    return known[found]
