"""The figure of convexity: a curve, and a chord between two of its points."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from descend.studio.lessons.descents import Line
from descend.studio.lessons.figures import Begun, Drawn, Setup
from descend.studio.racing.formula import read


@dataclass(frozen=True)
class Chord(Line):
    """A chord from a to b, and on it the point that lies λ of the way back from b to a."""

    kind: ClassVar[str] = "chord"

    def balls(self, setup: Setup, begun: Begun) -> Iterator[Drawn]:
        """Rows of x and the height of a, b, the point on the chord, and the one on the curve below or above it."""
        a, b, part = (setup.settings[name] for name in ("a", "b", "part"))
        between = part * a + (1 - part) * b
        x = np.array([a, b, between])
        low, high, curve = np.asarray(read(self.formula)(x, 0 * x), np.float64)
        chord = part * low + (1 - part) * high
        rows = np.array([[a, low], [b, high], [between, chord], [between, curve]], np.float32)
        yield Drawn({"steps": 0, "limit": None, "says": _words(between, chord, curve)}, rows)


def _words(x: float, chord: float, curve: float) -> str:
    gap = chord - curve
    where = f"At x = {x:.3g} the chord is at {chord:.3g} and the curve at {curve:.3g}: ".replace("-", "−")
    if abs(gap) < 1e-9:
        return where + "they meet."
    return where + (f"the chord lies {gap:.3g} above, as Jensen's inequality asks of a convex function." if gap > 0
                    else f"the chord lies {-gap:.3g} below, so the function is not convex.")
