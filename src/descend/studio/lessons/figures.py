"""What a figure is: what it shows, what it may be asked, and how it is answered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from descend.studio.lessons.regression import Regression
from descend.studio.racing.course import Courses
from descend.studio.racing.gallery import Point
from descend.studio.racing.rules import Slider


@dataclass
class Begun:
    """What was begun for the figures, on functions and on data, so that a slider compiles nothing."""

    courses: Courses = field(default_factory=Courses)
    regression: Regression = field(default_factory=Regression)


@dataclass(frozen=True)
class Setup:
    """What a figure is asked for: the numbers of its sliders, where it starts, the seed of what is random in it."""

    settings: Mapping[str, float]
    start: Point
    seed: int


@dataclass(frozen=True)
class Drawn:
    """One thing that is drawn: what a page is told of it, and its numbers."""

    head: Mapping[str, Any]
    numbers: np.ndarray


@runtime_checkable
class Figure(Protocol):
    """A figure, by the name and the title of its choice."""

    @property
    def name(self) -> str:
        """By which it is asked for."""
        ...

    @property
    def sliders(self) -> tuple[Slider, ...]:
        """What slides."""
        ...

    def told(self) -> dict[str, Any]:
        """What the page has to know before it asks."""
        ...

    def ground(self) -> Drawn:
        """What lies below all that moves."""
        ...

    def balls(self, setup: Setup, begun: Begun) -> Iterator[Drawn]:
        """What moves: a ball at a time."""
        ...


def told(slider: Slider) -> dict[str, Any]:
    """A slider, as the page is told of it."""
    return dict(vars(slider))
