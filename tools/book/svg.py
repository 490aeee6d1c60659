"""Small pictures as SVG within a page: they take its colours, in light and in dark, and need nothing from outside."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

# Okabe and Ito's colours by the names that `book.css` gives them.
COLOURS = 8
Point = tuple[float, float]


def path(points: Sequence[Point] | np.ndarray, *, closed: bool = False) -> str:
    """A line through points, to a tenth of a pixel."""
    steps = "L".join(f"{short(x)} {short(y)}" for x, y in points)
    return f"M{steps}{'Z' if closed else ''}" if steps else ""


def short(value: float) -> str:
    """A coordinate without needless digits."""
    return f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words at a place."""
    return f'<text x="{short(x)}" y="{short(y)}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def picture(width: float, height: float, inside: str, label: str, kind: str = "") -> str:
    """A whole picture, on one line: an empty one would end it for Markdown."""
    return (f'<svg class="{kind}" viewBox="0 0 {short(width)} {short(height)}" role="img" aria-label="{escape(label)}">'
            f"{inside}</svg>")


def nice(value: float) -> str:
    """A number for people: three digits, and a power of ten where it is far from 1."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "∞" if value > 0 else "no number"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    digits, _, power = f"{value:.1e}".partition("e")
    digits = digits.removesuffix(".0")
    # A power alone is read more easily than one times a power.
    raised = "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(sign)] if sign.isdigit() else "⁻" for sign in str(int(power)))
    return f"10{raised}" if digits == "1" else f"{digits}·10{raised}"
