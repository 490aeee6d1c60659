"""The toy sets: four of two classes each, and two of numbers. All lie within ±6."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from descend.studio.playground.points import Kind, Points

REACH = 6.0
# Between the two circles, and between the quarters of "exclusive or", nothing lies.
INNER, OUTER = (0.0, 2.5), (3.5, 5.0)
GAP = 0.3
MEANS = ((2.0, 2.0), (-2.0, -2.0))
TURNS = 1.75
# Where the humps of "six humps" are, and whether they go up.
HUMPS = (((-4, 2.5), 1), ((0, 2.5), -1), ((4, 2.5), 1), ((-4, -2.5), -1), ((0, -2.5), 1), ((4, -2.5), -1))
HUMP_WIDTH = 1.2

Drawn = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Toy:
    """A toy set: `draw(rng, count)` gives positions, and a class of 0 or 1, or a number, for each."""

    name: str
    title: str
    kind: Kind
    draw: Callable[[np.random.Generator, int], Drawn]

    def points(self, count: int, noise: float, seed: int) -> Points:
        """So many points, each moved by normal noise of this standard deviation after it was given its target."""
        rng = np.random.default_rng(seed)
        positions, targets = self.draw(rng, count)
        positions = positions + noise * rng.normal(size=positions.shape)
        is_class = self.kind == "classification"
        return Points(
            title=self.title,
            axes=("x", "y"),
            target="class" if is_class else "number",
            kind=self.kind,
            classes=("A", "B") if is_class else (),
            positions=positions,
            targets=targets.astype(np.int32 if is_class else np.float64),
            centre=np.zeros(2),
            unit=np.ones(2),
            window=(-REACH, REACH, -REACH, REACH),
        )


def _halves(count: int) -> np.ndarray:
    """As many of class 0 as of class 1, and one more where they cannot be."""
    return (np.arange(count) >= (count + 1) // 2).astype(int)


def _circles(rng: np.random.Generator, count: int) -> Drawn:
    outside = _halves(count)
    low, high = np.array([INNER, OUTER])[outside].T
    # Even over the area, which grows with the square of the radius.
    radius = np.sqrt(rng.uniform(low**2, high**2))
    angle = rng.uniform(0, 2 * np.pi, count)
    return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), outside


def _exclusive_or(rng: np.random.Generator, count: int) -> Drawn:
    differ = _halves(count)
    sizes = rng.uniform(GAP, OUTER[1], (count, 2))
    right = rng.choice([-1.0, 1.0], count)
    return sizes * np.column_stack([right, np.where(differ, -right, right)]), differ


def _gaussians(rng: np.random.Generator, count: int) -> Drawn:
    which = _halves(count)
    return np.array(MEANS)[which] + rng.normal(0, 0.8, (count, 2)), which


def _spiral(rng: np.random.Generator, count: int) -> Drawn:
    arm = _halves(count)
    way = np.sqrt(rng.uniform(0.01, 1.0, count))
    angle = way * TURNS * 2 * np.pi + arm * np.pi
    return OUTER[1] * way[:, None] * np.column_stack([np.sin(angle), np.cos(angle)]), arm


def _plane(rng: np.random.Generator, count: int) -> Drawn:
    positions = rng.uniform(-REACH, REACH, (count, 2))
    return positions, positions.sum(1) / (2 * REACH)


def _humps(rng: np.random.Generator, count: int) -> Drawn:
    positions = rng.uniform(-REACH, REACH, (count, 2))
    away = lambda place: ((positions - np.array(place)) ** 2).sum(1)
    heights = [sign * np.exp(-away(place) / (2 * HUMP_WIDTH**2)) for place, sign in HUMPS]
    return positions, np.sum(heights, axis=0)


TOYS = {
    toy.name: toy
    for toy in (
        Toy("circles", "Circles", "classification", _circles),
        Toy("xor", "Exclusive or", "classification", _exclusive_or),
        Toy("gaussians", "Two Gaussians", "classification", _gaussians),
        Toy("spiral", "Spiral", "classification", _spiral),
        Toy("plane", "Plane (a number)", "regression", _plane),
        Toy("humps", "Six humps (a number)", "regression", _humps),
    )
}
