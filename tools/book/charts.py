"""Charts of the book: lines over steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.book.svg import nice, path, picture, short, text

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 38
# Orders of magnitude that are shown at the most: what is below the smallest is drawn at the edge.
MOST_DECADES = 12
TICKS = 5


@dataclass(frozen=True)
class Line:
    """One line: its `title`, and values at `xs`; what is not finite is left out. `colour`: a number of the palette."""

    title: str
    xs: np.ndarray
    ys: np.ndarray
    colour: int


@dataclass(frozen=True)
class Axis:
    """From data to pixels: `low` to `high` lie between `start` and `end`; on a scale of logarithms if `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        scaled = (self._scaled(np.asarray(values, float)) - self._scaled(self.low)) / self._span
        return self.start + np.clip(scaled, -0.02, 1.02) * (self.end - self.start)

    @property
    def _span(self) -> float:
        return float(self._scaled(self.high) - self._scaled(self.low)) or 1.0

    def _scaled(self, values: np.ndarray | float) -> np.ndarray:
        return np.log10(np.maximum(values, 1e-300)) if self.log else np.asarray(values, float)

    def ticks(self) -> list[float]:
        """Round numbers within it."""
        if self.log:
            return self._powers()
        if self.high == self.low:
            return [self.low]
        raw = (self.high - self.low) / TICKS
        unit = 10 ** np.floor(np.log10(raw))
        step = unit * min((1, 2, 5, 10), key=lambda times: abs(times * unit - raw))
        return list(np.arange(np.ceil(self.low / step), np.floor(self.high / step) + 1) * step)


    def _powers(self) -> list[float]:
        """Powers of ten, and where there are few, twice and five times such."""
        first, last = np.floor(np.log10(self.low)), np.ceil(np.log10(self.high))
        step = max(1, int(np.ceil((last - first) / TICKS)))
        factors = (1, 2, 5) if last - first <= 2 else (1,)
        found = [factor * 10.0**power for power in np.arange(first, last + 1, step) for factor in factors]
        return [tick for tick in found if self.low <= tick * (1 + 1e-9) and tick <= self.high * (1 + 1e-9)]


def of_lines(
    lines: Sequence[Line], x_title: str, y_title: str, *, log: bool, level: float | None = None
) -> str:
    """A chart with a legend. `log`: the heights by their logarithms. `level`: a height that a broken line is drawn at.
    """
    ys = np.concatenate([line.ys[np.isfinite(line.ys)] for line in lines])
    axes = _axes(lines, ys, log, level)
    broken = [] if level is None else [f'<path class="level" d="{path(list(zip(*_ends(axes, level), strict=True)))}"/>']
    drawn = [_drawn(line, *axes) for line in lines]
    inside = _frame(*axes, x_title) + "".join(broken + drawn)
    label = f"{y_title} over {x_title}: " + ", ".join(line.title for line in lines)
    return _titled(lines, y_title) + picture(WIDTH, HEIGHT, inside, label, "chart")


def _ends(axes: tuple[Axis, Axis], level: float) -> tuple[list[float], list[float]]:
    x, y = axes
    return [x.start, x.end], [float(y(level))] * 2


def _axes(lines: Sequence[Line], ys: np.ndarray, log: bool, level: float | None) -> tuple[Axis, Axis]:
    xs = np.concatenate([line.xs for line in lines])
    ys = ys if level is None else np.append(ys, level)
    high = float(ys.max())
    low = float(max(ys[ys > 0].min(), high * 10.0**-MOST_DECADES)) if log else float(min(ys.min(), 0.0))
    return (Axis(float(xs.min()), float(xs.max()), LEFT, WIDTH - RIGHT),
            Axis(low, high, HEIGHT - BOTTOM, TOP, log))


def _frame(x: Axis, y: Axis, x_title: str) -> str:
    found = []
    for tick in y.ticks():
        at = float(y(tick))
        found.append(f'<path class="grid" d="M{LEFT} {short(at)}H{WIDTH - RIGHT}"/>')
        found.append(text(LEFT - 8, at + 4, nice(tick), "tick", "end"))
    for tick in x.ticks():
        found.append(text(float(x(tick)), HEIGHT - BOTTOM + 18, f"{tick:g}", "tick", "middle"))
    found.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 2, x_title, "tick", "middle"))
    return "".join(found)


def _drawn(line: Line, x: Axis, y: Axis) -> str:
    seen = np.isfinite(line.ys)
    points = np.column_stack([x(line.xs[seen]), y(line.ys[seen])])
    if len(points) > WIDTH:
        points = points[np.unique(np.linspace(0, len(points) - 1, WIDTH).astype(int))]
    if len(points) == 1:
        return f'<circle class="dot ink{line.colour}" cx="{short(points[0, 0])}" cy="{short(points[0, 1])}" r="4"/>'
    return f'<path class="line ink{line.colour}" d="{path(points)}"/>'


def _titled(lines: Sequence[Line], y_title: str) -> str:
    keys = "".join(f'<span><i class="key back{line.colour}"></i>{line.title}</span>' for line in lines)
    return f'<div class="legend"><b>{y_title}</b>{keys}</div>'
