"""The one live line of a sweep."""

import threading
import time
from collections.abc import Sequence

from rich.console import RenderableType
from rich.progress_bar import ProgressBar as Bar
from rich.table import Table as Grid
from rich.text import Text

from descend.cli._console import Console, say
from descend.observers import Observer, Progress
from descend.observers.progress import BAR_COLUMNS, MIN_BAR_TERMINAL, SEPARATOR, LiveLines, duration, share
from descend.tasks.sweep.halving import work
from descend.tasks.sweep.sweeping import Sweep
from descend.tasks.sweep.trial import Trial

TITLE = "sweep"


class SweepLine:
    """How many trials have ended, the least loss so far, and the time that is left; and a line at each round's end.

    A console that is no terminal gets the latter alone.
    """

    def __init__(self, console: Console, sweep: Sweep):
        self._console, self._sweep = console, sweep
        self._board = LiveLines(console) if console.is_terminal and not console.quiet else None
        self._lock = threading.Lock()
        # How much of its training each trial has made; and what was made before this command.
        self._made: dict[str, float] = {trial.name: trial.last.share if trial.rounds else 0.0 for trial in sweep.trials}
        self._before, self._begun = sum(self._made.values()), time.perf_counter()
        seeds = len(sweep.trials) / len(sweep.settings)
        self._all = seeds * work(len(sweep.settings), sweep.shares)

    def __enter__(self) -> "SweepLine":
        if self._board:
            self._board.begin(TITLE)
        self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._board:
            self._board.end(TITLE)

    def watches(self, trial: Trial) -> Sequence[Observer]:
        """An observer that takes in how far the trial has come."""
        def told(progress: Progress) -> None:
            self._has_made(trial, share(progress) or 0.0)

        return (told,)

    def ended(self, trial: Trial, share: float) -> None:
        """A trial has made its share of a round."""
        self._has_made(trial, share)

    def round_over(self, share: float, judged: int, kept: int, best: Trial) -> None:
        """A round is over."""
        goes_on = "" if share == 1 else f": {kept} go on"
        say(self._console, f"{judged} trials have made {share:.0%} of their training{goes_on}; least "
                           f"{self._sweep.judge.what} {best.at(share).loss:.4g} ({best.name})")

    def _has_made(self, trial: Trial, share: float) -> None:
        with self._lock:
            self._made[trial.name] = max(self._made[trial.name], share)
        self._show()

    def _show(self) -> None:
        if self._board:
            self._board.show(TITLE, self._line())

    def _line(self) -> RenderableType:
        made, grid = sum(self._made.values()), Grid.grid(padding=(0, 1, 0, 0))
        done = min(made / self._all, 1.0)
        cells: list[RenderableType] = [Text(TITLE, style="bold")]
        if self._console.width >= MIN_BAR_TERMINAL:
            cells.append(Bar(total=1.0, completed=done, width=BAR_COLUMNS))
        words = [f"{done:.0%}", f"{self._judged()} of {len(self._sweep.trials)} trials judged", *self._least()]
        if made > self._before:
            left = (time.perf_counter() - self._begun) * (self._all - made) / (made - self._before)
            words.append(f"ETA {duration(max(left, 0.0))}")
        grid.add_row(*cells, Text(SEPARATOR.join(words), no_wrap=True, overflow="ellipsis"))
        return grid

    def _judged(self) -> int:
        return sum(bool(trial.rounds) for trial in self._sweep.trials)

    def _least(self) -> list[str]:
        losses = [trial.last.loss for trial in self._sweep.trials if trial.rounds]
        return [f"least {self._sweep.judge.what} {min(losses):.4g}"] if losses else []
