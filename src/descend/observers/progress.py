"""A live line of progress in the terminal."""

import math
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn
from rich.progress import Progress as Display
from rich.text import Text

from descend.observers import Progress


class ProgressBar:
    """Loss, validation, learning rate, steps per second and the time that is left, in one line that is kept up to date.

    `title`: what is being trained. `console`: where to draw; one that is no terminal gets only the last line.
    """

    def __init__(self, title: str, console: Console):
        columns: tuple[ProgressColumn, ...] = (
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[told]}"),
        )
        self._title, self._console = title, console
        self._display = Display(*columns, console=console, auto_refresh=False, disable=not console.is_terminal)
        self._line = self._display.add_task(title, total=None, told="compiling …")

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._display.stop()

    def __call__(self, progress: Progress) -> None:
        """Draw the line anew."""
        if not self._console.is_terminal:
            if progress.reason is not None:
                self._console.print(f"{self._title}: {describe(progress)}", highlight=False, soft_wrap=True)
            return
        done, total = progress.step, progress.steps
        if total is None and progress.eta is not None:
            done, total = round(progress.seconds), round(progress.seconds + progress.eta)
        if progress.reason is not None:
            total = done
        self._display.update(self._line, completed=done, total=total, told=Text(describe(progress)))
        self._display.refresh()


def describe(progress: Progress) -> str:
    """A training's progress in a line of words."""
    parts = [f"step {progress.step:,}" + (f" of {progress.steps:,}" if progress.steps else "")]
    if progress.epoch is not None:
        parts.append(f"epoch {progress.epoch:.1f}")
    parts += [f"{name.replace('_', ' ')} {float(progress.latest[name]):.4g}"
              for name in ("loss", "learning_rate") if name in progress.latest]
    parts += [f"validation {name} {value:.4f}" for name, value in progress.validation.items()]
    parts.append(f"{progress.steps_per_second:,.0f} steps/s")
    if progress.reason is not None:
        parts.append(f"{progress.seconds:.1f} s, {progress.reason.name}")
    elif progress.eta is not None and math.isfinite(progress.eta):
        parts.append(f"ETA {progress.eta:.0f} s")
    return " · ".join(parts)
