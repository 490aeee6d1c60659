"""Pictures of the states of environments that are written in JAX, and moving ones of whole episodes."""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from descend.rl.environments import Acrobot, CartPole, Environment, MountainCar, MountainCarContinuous, Pendulum

# Pixels beside each other that become one: Pillow draws without smooth edges.
SUPERSAMPLING = 3
# Of a moving picture. Its size goes with their number, and what is drawn here has six and their shades.
COLOURS = 32
# Browsers show GIF's pictures at 50 a second at the most, and many more slowly. So many in all are a report that opens
# at once.
MAX_FRAMES_PER_SECOND, MAX_FRAMES = 25, 300
INK, GREY, BODY, LINK, GOAL = "#222222", "#bbbbbb", "#4c78a8", "#f58518", "#54a24b"
Point = tuple[float, float]


class Sheet:
    """A sheet to draw on in the units of a world: what lies between two corners, `unit` pixels each."""

    def __init__(self, low: Point, high: Point, unit: float):
        self._low, self._high, self._unit = low, high, unit * SUPERSAMPLING
        size = tuple(round((b - a) * self._unit) for a, b in zip(low, high, strict=True))
        self._image = Image.new("RGB", size, "white")  # type: ignore[arg-type]
        self._draw = ImageDraw.Draw(self._image)

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """A line through points, with round corners and ends."""
        self._draw.line([self._at(point) for point in points], colour, round(width * self._unit), joint="curve")
        for point in (points[0], points[-1]):
            self.dot(point, colour, width / 2)

    def dot(self, centre: Point, colour: str, radius: float) -> None:
        """A disc."""
        (x, y), r = self._at(centre), radius * self._unit
        self._draw.ellipse((x - r, y - r, x + r, y + r), colour)

    def box(self, low: Point, high: Point, colour: str) -> None:
        """A rectangle between two corners."""
        (left, bottom), (right, top) = self._at(low), self._at(high)
        self._draw.rectangle((left, top, right, bottom), colour)

    def image(self) -> Image.Image:
        """What was drawn."""
        return self._image.reduce(SUPERSAMPLING)

    def _at(self, point: Point) -> Point:
        return (point[0] - self._low[0]) * self._unit, (self._high[1] - point[1]) * self._unit


def _cart_pole(environment: CartPole, state: np.ndarray) -> Image.Image:
    x, angle = state[0], state[2]
    sheet = Sheet((-2.6, -0.4), (2.6, 1.3), 92)
    tip = (x + 2 * environment.half_length * math.sin(angle), 2 * environment.half_length * math.cos(angle))
    sheet.line([(-2.6, -0.2), (2.6, -0.2)], GREY, 0.02)
    for end in (-environment.farthest, environment.farthest):
        sheet.line([(end, -0.3), (end, -0.1)], GREY, 0.02)
    sheet.box((x - 0.25, -0.2), (x + 0.25, 0.08), BODY)
    sheet.line([(x, 0), tip], LINK, 0.08)
    sheet.dot((x, 0), INK, 0.04)
    return sheet.image()


def _acrobot(_: Acrobot, state: np.ndarray) -> Image.Image:
    first, both = state[0], state[0] + state[1]
    sheet = Sheet((-2.2, -2.2), (2.2, 2.2), 80)
    elbow = (math.sin(first), -math.cos(first))
    tip = (elbow[0] + math.sin(both), elbow[1] - math.cos(both))
    sheet.line([(-2.2, 1), (2.2, 1)], GOAL, 0.02)
    sheet.line([(0, 0), elbow], BODY, 0.16)
    sheet.line([elbow, tip], LINK, 0.16)
    for joint in ((0.0, 0.0), elbow):
        sheet.dot(joint, INK, 0.06)
    return sheet.image()


def _mountain_car(environment: MountainCar | MountainCarContinuous, state: np.ndarray) -> Image.Image:
    height = lambda x: 0.45 * math.sin(3 * x) + 0.55
    sheet = Sheet((-1.2, 0.0), (0.6, 1.2), 260)
    sheet.line([(x, height(x)) for x in np.linspace(-1.2, 0.6, 90).tolist()], GREY, 0.012)
    foot, top = height(environment.goal), height(environment.goal) + 0.13
    sheet.line([(environment.goal, foot), (environment.goal, top)], INK, 0.008)
    sheet.box((environment.goal, top - 0.05), (environment.goal + 0.06, top), GOAL)
    x = state[0]
    slope = math.atan(1.35 * math.cos(3 * x))
    sheet.dot((x - 0.045 * math.sin(slope), height(x) + 0.045 * math.cos(slope)), BODY, 0.04)
    return sheet.image()


def _pendulum(_: Pendulum, state: np.ndarray) -> Image.Image:
    sheet = Sheet((-1.3, -1.3), (1.3, 1.3), 130)
    sheet.line([(0, 0), (-math.sin(state[0]), math.cos(state[0]))], BODY, 0.18)
    sheet.dot((0, 0), INK, 0.05)
    return sheet.image()


# How to draw a state, and how many steps to show in a second.
_RENDERERS: dict[type, tuple[Any, float]] = {
    CartPole: (_cart_pole, 50),
    Acrobot: (_acrobot, 15),
    MountainCar: (_mountain_car, 30),
    MountainCarContinuous: (_mountain_car, 30),
    Pendulum: (_pendulum, 20),
}


class Film:
    """Pictures of an episode as it goes on: no more a second, and in all, than make a moving picture.

    `pace`: steps that are shown in a second.
    """

    def __init__(self, pace: float):
        self._every = max(1, math.ceil(pace / MAX_FRAMES_PER_SECOND))  # steps between two pictures
        self._pace, self._steps = pace, 0
        self._pictures: list[Image.Image] = []

    def add(self, draw: Callable[[], Image.Image]) -> None:
        """The next step, which is drawn if there is need of it."""
        if self._steps % self._every == 0:
            self._pictures.append(draw())
        self._steps += 1
        # How long the episode will be, nobody knows: when there are too many pictures every second one goes.
        if len(self._pictures) > MAX_FRAMES:
            self._pictures, self._every = self._pictures[::2], 2 * self._every

    def __len__(self) -> int:
        return len(self._pictures)

    def gif(self) -> bytes:
        """The moving picture, which begins again and again."""
        # One palette for all: a palette for each would take more room than what it colours.
        some = self._pictures[:: max(1, len(self) // 8)]
        samples = Image.new("RGB", (some[0].width, len(some) * some[0].height))
        for number, image in enumerate(some):
            samples.paste(image, (0, number * image.height))
        palette = samples.quantize(COLOURS)
        first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in self._pictures]
        file, shown = io.BytesIO(), round(1000 * self._every / self._pace)
        first.save(file, "GIF", save_all=True, append_images=others, duration=shown, loop=0)
        return file.getvalue()


def filmed(environment: Environment, states: Iterable[Any]) -> Film | None:
    """An episode in one of descend's own environments; nothing, of others."""
    if type(environment) not in _RENDERERS:
        return None
    draw, pace = _RENDERERS[type(environment)]
    film = Film(pace)
    for state in states:
        film.add(partial(draw, environment, np.asarray(state, float)))
    return film
