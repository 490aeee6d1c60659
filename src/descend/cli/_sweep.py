"""What `descend sweep` does with a sweep that was begun."""

import json
import shlex
from typing import Any

from rich.table import Table as Grid
from rich.text import Text
from typer import Exit

from descend._locks import BusyError
from descend.cli._console import Console, say, write
from descend.cli._summary import in_a_grid
from descend.cli._sweep_line import SweepLine
from descend.engine.interruption import INTERRUPTED, TERMINATED
from descend.tasks.sweep.keeping import TABLE, WINNER, kept
from descend.tasks.sweep.report import cell
from descend.tasks.sweep.sweeping import Sweep
from descend.tasks.sweep.told import honest_words, trial_rows

# Of the trials, in the terminal: `trials.csv` and the report have all.
MAX_ROWS_TOLD = 20


def make(sweep: Sweep, console: Console, as_json: bool) -> None:
    """Make the trials, keep the best, and say what came of it. Of processes that share a sweep, one keeps it."""
    path = sweep.folder.path
    say(console, f"{len(sweep.trials)} trials, in {path}")
    with SweepLine(console, sweep) as line:
        asked_to_end = sweep.go_through(line)
    if asked_to_end:
        say(console, f"go on:  the same command with --resume --out {shlex.quote(str(path))}")
        raise Exit(TERMINATED if asked_to_end == "SIGTERM" else INTERRUPTED)
    if sweep.is_shared:
        try:
            sweep.folder.hold()
        except BusyError:
            say(console, f"all trials have ended; another process keeps the best of them in {path / WINNER}")
            return
    _tell(sweep, kept(sweep), console, as_json)


def _tell(sweep: Sweep, facts: dict[str, Any], console: Console, as_json: bool) -> None:
    rows, path = trial_rows(sweep), sweep.folder.path
    if as_json:
        write(json.dumps({"winner": facts, "trials": rows}, indent=2, ensure_ascii=False))
    console.print(_table(rows[:MAX_ROWS_TOLD]))
    if len(rows) > MAX_ROWS_TOLD:
        say(console, f"and {len(rows) - MAX_ROWS_TOLD} more in {path / TABLE}")
    console.print(in_a_grid([("winner", sweep.winner.name), *(("", line) for line in honest_words(sweep, facts))]))
    say(console, f"report: {path / 'report.html'}")
    say(console, f"use it: descend predict {shlex.quote(str(path / WINNER))} {sweep.task.predicts_from} -o FILE")


def _table(rows: list[dict[str, Any]]) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0))
    for name, value in rows[0].items():
        # Names may have several lines, and values one.
        width = max(len(cell(row[name])) for row in rows)
        grid.add_column(Text(name.replace("_", " ")), justify="left" if isinstance(value, str) else "right",
                        min_width=width)
    for row in rows:
        grid.add_row(*(Text(cell(value)) for value in row.values()))
    return grid
