"""Points of the plane with a class or a number each, in the units that they came in."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from descend.studio.racing.gallery import Window

Kind = Literal["classification", "regression"]
# Fewer could not be divided into some to learn from and some to test on.
MIN_POINTS = 4


@dataclass(frozen=True, eq=False)
class Points:
    """What there is to learn.

    - `title`, `axes`, `target`: what they are called.
    - `kind`, `classes`: whether the target is a class, and the names of the classes.
    - `positions`: a row of x and y for each; `targets`: numbers of classes, or numbers.
    - `centre`, `unit`: what a network sees is `(positions − centre) / unit`.
    - `window`: what is shown of the plane.
    - `says`: what was left out, and why.
    """

    title: str
    axes: tuple[str, str]
    target: str
    kind: Kind
    classes: tuple[str, ...]
    positions: np.ndarray
    targets: np.ndarray
    centre: np.ndarray
    unit: np.ndarray
    window: Window
    says: str = ""

    def __len__(self) -> int:
        return len(self.positions)

    def standard(self, positions: np.ndarray) -> np.ndarray:
        """Positions as a network sees them."""
        return (positions - self.centre) / self.unit

    @cached_property
    def span(self) -> tuple[float, float]:
        """The least and the greatest of the numbers that are targets."""
        return float(self.targets.min()), float(self.targets.max())

    def share(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers like the targets, as how far they are from the least target to the greatest."""
        low, high = self.span
        return (numbers - low) / (high - low)

    def split(self, test_share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Which points are learned from and which are tested on, at least one and two of them, drawn at random."""
        order = np.random.default_rng(seed).permutation(len(self))
        tested = min(max(1, round(test_share * len(self))), len(self) - 2)
        return np.sort(order[tested:]), np.sort(order[:tested])

    def grid(self, size: int) -> np.ndarray:
        """The middles of size × size cells of the window: a row of cells for each y, from the lowest on."""
        x0, x1, y0, y1 = self.window
        middles = (np.arange(size) + 0.5) / size
        x, y = np.meshgrid(x0 + middles * (x1 - x0), y0 + middles * (y1 - y0))
        return np.column_stack([x.ravel(), y.ravel()])
