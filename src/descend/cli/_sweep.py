"""What `descend sweep` does with a table and the settings that vary."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

from rich.table import Table as Grid
from rich.text import Text
from typer import Exit

from descend._files import write_atomically
from descend._locks import BusyError
from descend.cli._console import Console, say, write
from descend.cli._fit import train_and_store
from descend.cli._summary import in_a_grid
from descend.cli._sweep_line import SweepLine
from descend.engine.interruption import INTERRUPTED, TERMINATED
from descend.tasks.common.folder import RunFolder, claimed, place_of
from descend.tasks.sweep.axes import Axis
from descend.tasks.sweep.report import cell, sweep_page
from descend.tasks.sweep.sweeping import WINNER, Sweep, SweepFolder, share, sweep_of, winner_folder
from descend.tasks.sweep.told import frame_of, honest_words, trial_rows
from descend.tasks.table.task import TableTask

# Of the trials, in the terminal: `trials.csv` and the report have all.
MAX_ROWS_TOLD = 20


def sweep_table(
    task: TableTask, axes: tuple[Axis, ...], source: str, is_halved: bool, out: Path | None, resume: bool,
    is_shared: bool, console: Console, as_json: bool,
) -> None:
    """Make the trials, keep the best, and say what came of it. Of processes that share a sweep, one keeps it."""
    over = {axis.name: list(axis.values) for axis in axes}
    asked = task.asked | {"source": place_of(source)}
    asked["settings"] |= {"over": over, "halving": is_halved}
    folder = claimed(out, f"{task.name}-sweep", asked, resume or is_shared, SweepFolder)
    # What cannot be learnt is refused before anything is written.
    sweep = sweep_of(task, axes, is_halved, folder, is_shared)
    if is_shared:
        share(folder)
    else:
        folder.begin()
    for trial in sweep.trials:
        trial.begin()
    say(console, f"{len(sweep.trials)} trials, in {folder.path}")
    with SweepLine(console, sweep) as line:
        asked_to_end = sweep.go_through(line)
    if asked_to_end:
        say(console, f"go on:  the same command with --resume --out {shlex.quote(str(folder.path))}")
        raise Exit(TERMINATED if asked_to_end == "SIGTERM" else INTERRUPTED)
    if is_shared:
        try:
            folder.hold()
        except BusyError:
            say(console, f"all trials have ended; another process keeps the best of them in {folder.path / WINNER}")
            return
    facts = _kept(sweep, folder)
    with folder.closing():
        write_atomically(folder.path / "trials.csv", frame_of(sweep).to_csv(index=False).encode())
        folder.write_report(sweep_page(sweep, facts))
    _tell(sweep, folder, facts, console, as_json)


def _kept(sweep: Sweep, folder: RunFolder) -> dict[str, Any]:
    """The winner's facts: it is judged on the rows that were held out, and stored, as by `descend fit`."""
    kept, trained = winner_folder(sweep, folder.path), sweep.winner.folder.checkpoints
    kept.begin()
    if (told := kept.path / "metrics.json").exists():
        return json.loads(told.read_bytes())
    if trained.exists() and not kept.checkpoints.exists():
        # Under another name first, as a copy may be cut off.
        begun = kept.path / ".checkpoints"
        shutil.rmtree(begun, ignore_errors=True)
        shutil.copytree(trained, begun, ignore=shutil.ignore_patterns(".*")).rename(kept.checkpoints)
    return train_and_store(sweep.winner_task, sweep.prepared, kept, Console(quiet=True), insight=True)


def _tell(sweep: Sweep, folder: RunFolder, facts: dict[str, Any], console: Console, as_json: bool) -> None:
    rows, place = trial_rows(sweep), folder.path / WINNER
    if as_json:
        write(json.dumps({"winner": facts, "trials": rows}, indent=2, ensure_ascii=False))
    console.print(_table(rows[:MAX_ROWS_TOLD]))
    if len(rows) > MAX_ROWS_TOLD:
        say(console, f"and {len(rows) - MAX_ROWS_TOLD} more in {folder.path / 'trials.csv'}")
    console.print(in_a_grid([("winner", sweep.winner.name), *(("", line) for line in honest_words(sweep, facts))]))
    say(console, f"report: {folder.path / 'report.html'}")
    say(console, f"use it: descend predict {shlex.quote(str(place))} TABLE -o FILE")


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
