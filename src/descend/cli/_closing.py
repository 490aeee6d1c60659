"""What all trainings say at their end."""

import shlex
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.table import Table as Grid
from rich.text import Text

from descend.cli._console import Console, say
from descend.engine.interruption import INTERRUPTED, TERMINATED
from descend.stopping import Reason


def in_a_grid(facts: Iterable[tuple[str, str]]) -> Grid:
    """Names and what they stand for, in a table."""
    grid = Grid(show_header=False, box=None, padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    for name, value in facts:
        grid.add_row(name, Text(value))
    return grid


def say_what_next(console: Console, folder: Path, reason: Reason, what: str) -> None:
    """Where the report is, and how to use the model on `what`, or to go on with it."""
    place = shlex.quote(str(folder))
    if reason.name == "interrupted":
        say(console, f"go on:  the same command with --resume --out {place}")
    say(console, f"report: {folder / 'report.html'}")
    say(console, f"use it: descend predict {place} {what} -o FILE")
    end_as_asked(reason)


def end_as_asked(reason: Reason) -> None:
    """End the process as one that a signal has ended, if that is why the training ended; all is written by then."""
    if reason.name == "interrupted":
        raise typer.Exit(TERMINATED if reason.evidence.startswith("SIGTERM") else INTERRUPTED)
