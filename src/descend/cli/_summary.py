"""What trainings say at their end, and how the command then ends."""

from collections.abc import Iterable, Mapping
from typing import Any

import typer
from rich.table import Table as Grid
from rich.text import Text

from descend.engine.interruption import INTERRUPTED, TERMINATED
from descend.stopping import Reason


def in_a_grid(facts: Iterable[tuple[str, str]]) -> Grid:
    """Names and what they stand for, in a table."""
    grid = Grid(show_header=False, box=None, padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    for name, value in facts:
        grid.add_row(name, Text(value))
    return grid


def verdict_row(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What stands out at the end of a descent, as a row for the grid, if something does."""
    return [("verdict", " ".join(facts["verdict"]))] if facts.get("verdict") else []


def end_as_asked(reason: Reason) -> None:
    """End the process as one that a signal has ended, if that is why the training ended; all is written by then."""
    if reason.name == "interrupted":
        raise typer.Exit(TERMINATED if reason.evidence.startswith("SIGTERM") else INTERRUPTED)
