"""A live line of progress in the terminal."""

import contextlib
import math
import threading
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar as Bar
from rich.table import Table as Grid
from rich.text import Text

from descend.observers import Progress

# Columns of the bar, and of a terminal that has room for one.
BAR_COLUMNS, MIN_BAR_TERMINAL = 20, 100
SEPARATOR = " · "
# A terminal that is gone, or cannot print a sign, ends no training; by SystemExit rich ends those whose pipe is closed.
UNSHOWN = (OSError, UnicodeError, SystemExit)
# Of what a trace may hold: its rank (what has a low one is let in first), how it is called, and how it is written.
TOLD_METRICS = (
    ("loss", 1, "loss", ".4g"),
    ("duality_gap", 2, "gap", ".2g"),
    ("episode_return", 1, "return", ".4g"),
    ("episode_length", 4, "length", ".0f"),
    ("approx_kl", 7, "KL", ".2g"),
    ("entropy", 7, "entropy", ".2f"),
)


class LiveLines:
    """The live lines of trainings that go on side by side, below each other, until the last has ended."""

    def __init__(self, console: Console):
        # Trainings side by side draw from threads of their own.
        self._console, self._lock = console, threading.RLock()
        self._lines: dict[str, RenderableType] = {}
        self._open: set[str] = set()
        self._live: Live | None = None
        self._failed = False

    def begin(self, title: str) -> None:
        """A training with this title begins."""
        with self._drawing():
            self._open.add(title)
            if self._live is None and not self._failed:
                self._live = Live(console=self._console, auto_refresh=False)
                self._live.start()

    def show(self, title: str, line: RenderableType) -> None:
        """Draw its line anew."""
        with self._drawing():
            self._lines[title] = line
            if self._live is not None:
                self._live.update(Group(*self._lines.values()), refresh=True)

    def end(self, title: str) -> None:
        """It has ended."""
        with self._drawing():
            self._open.discard(title)
            if self._live is not None and not self._open:
                self._live.stop()
                self._live = None
                self._lines.clear()

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """One at a time, until it fails for the first time."""
        with self._lock:
            try:
                yield
            except UNSHOWN:
                self._failed, live, self._live = True, self._live, None
                if live is not None:
                    with contextlib.suppress(*UNSHOWN, IndexError):  # which rich's own stacks raise then
                        live.stop()


class ProgressBar:
    """Loss, validation, learning rate, steps per second and the time that is left, in one line that is kept up to date.

    `title`: what is being trained. `console`: where to draw; one that is no terminal gets only the last line. `unit`:
    what the pace is told in, and how many of them a step has. `board`: where the line is among others; by default
    alone.
    """

    def __init__(
        self, title: str, console: Console, unit: tuple[str, float] = ("steps", 1), board: LiveLines | None = None
    ):
        self._title, self._console, self._unit = title, console, unit
        self._board = (board or LiveLines(console)) if console.is_terminal else None
        # A training that was at its end before is never told of.
        self._called = False

    def __enter__(self) -> "ProgressBar":
        if self._board:
            self._board.begin(self._title)
            self._board.show(self._title, Text(f"{self._title} compiling …"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._board:
            if kind is None and not self._called:
                self._board.show(self._title, Text(f"{self._title} ended before; nothing was left to do"))
            self._board.end(self._title)

    def __call__(self, progress: Progress) -> None:
        """Draw the line anew."""
        self._called = True
        if self._board:
            self._board.show(self._title, self._line(progress))
        elif progress.reason is not None:
            line = SEPARATOR.join(words(progress, 10**6, self._unit))
            with contextlib.suppress(*UNSHOWN):
                self._console.print(f"{self._title} {line}", highlight=False, markup=False, soft_wrap=True)

    def _line(self, progress: Progress) -> Grid:
        """The title, a bar if the terminal is wide and it is known how much is left, and the words that fit."""
        grid = Grid.grid(padding=(0, 1, 0, 0))
        cells: list[RenderableType] = [Text(self._title, style="bold")]
        room = self._console.width - len(self._title) - 1
        done = share(progress)
        if done is not None and self._console.width >= MIN_BAR_TERMINAL:
            cells.append(Bar(total=1.0, completed=done, width=BAR_COLUMNS))
            room -= BAR_COLUMNS + 1
        grid.add_row(*cells, Text(SEPARATOR.join(words(progress, room, self._unit)), no_wrap=True, overflow="ellipsis"))
        return grid


def share(progress: Progress) -> float | None:
    """How much of a training is done, from 0 to 1; `None` if that cannot be said."""
    if progress.reason is not None:
        return 1.0
    if progress.steps:
        return progress.step / progress.steps
    return None if progress.eta is None else progress.seconds / (progress.seconds + progress.eta)


def words(progress: Progress, room: int, unit: tuple[str, float] = ("steps", 1)) -> list[str]:
    """A training's progress in words: those that fit into `room` columns, the weightiest are let in first."""
    name, per_step = unit
    latest, checks = progress.latest, list(progress.validation.items())
    of = f" of {progress.steps:,}" if progress.steps else ""
    if progress.tried is not None:
        return ["looking for a learning rate", f"{progress.tried[0]} of {progress.tried[1]} tried"]
    parts: list[tuple[int, str]] = [(6, f"step {progress.step:,}{of}")]
    if progress.epoch is not None:
        parts.append((7, f"epoch {progress.epoch:.1f}"))
    told = [each for each in TOLD_METRICS if each[0] in latest]
    parts += [(rank, f"{label} {float(latest[name]):{form}}") for name, rank, label, form in told]
    parts += [(8, f"val {name} {value:.4g}") for name, value in checks[:-1]]
    parts += [(2, f"val {name} {value:.4f}" if abs(value) < 10 else f"val {name} {value:.1f}")
              for name, value in checks[-1:]]
    if "learning_rate" in latest:
        parts.append((4, f"lr {float(latest['learning_rate']):.2g}"))
    parts.append((5, f"{per_step * progress.steps_per_second:,.0f} {name}/s"))
    if progress.reason is not None:
        parts.append((3, f"{duration(progress.seconds)}, {progress.reason.name}"))
    elif progress.eta is not None and math.isfinite(progress.eta):
        parts.append((3, f"ETA {duration(progress.eta)}"))
    # What does not fit is left out by rank, and not cut off where the line ends.
    least = min(rank for rank, _ in parts)
    fits = lambda limit: len(SEPARATOR.join(part for rank, part in parts if rank <= limit)) <= room
    limit = max((rank for rank, _ in parts if fits(rank)), default=least)
    return [part for rank, part in parts if rank <= limit]


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
