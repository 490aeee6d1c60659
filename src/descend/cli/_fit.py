"""What `descend fit` does with a task, whatever it is of."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descend._division import Division, processes_among
from descend._processes import Processes
from descend.cli._console import Console, say, write
from descend.cli._summary import end_as_asked, in_a_grid, verdict_row
from descend.distributed.member import Member
from descend.observers.progress import LiveLines, ProgressBar
from descend.stopping import Reason
from descend.tasks.common.fitting import stored, trained
from descend.tasks.common.folder import RunFolder, claimed, place_of
from descend.tasks.common.task import Observers, Task


def fit_task(
    task: Task[Any, Any], source: str, out: Path | None, resume: bool, console: Console, as_json: bool,
    mended: Mapping[str, Any] | None = None, insight: bool = True, member: Member | None = None,
) -> None:
    """Fit, write the run's folder, and say what came of it. `source`: where what is fitted was read from; `mended`:
    what its settings are changed from, and why.
    `insight`: whether to say what stands out at the end. `member`: which of several processes this is; the first alone
    writes and tells."""
    asked = task.asked | {"source": place_of(source)} | ({"mended": dict(mended)} if mended else {})
    processes = processes_among(Division.among_all())
    processes.refuse_differences(data=asked["digest"])
    folder = _claimed(processes, out, task.name, asked, resume)
    # What cannot be learnt is refused before anything is written.
    prepared = task.prepare()
    if member is not None and member.is_first:
        member.tell(str(folder.path))
    processes.first_does(folder.begin)
    board = LiveLines(console)
    bar: Observers = lambda title: () if console.quiet else (ProgressBar(title, console, board=board),)
    fitted = trained(task, prepared, folder, bar, insight and processes.is_first)
    if member is not None:
        member.leave()
        if not member.is_first:
            return
    outcome, facts = stored(task, fitted, folder, {"processes": member.count} if member else {})
    if as_json:
        write(json.dumps(facts, indent=2, ensure_ascii=False))
    console.print(in_a_grid([*task.summary(fitted, outcome, facts), *verdict_row(facts)]))
    plain = f"the same command with --resume --out {shlex.quote(str(folder.path))}"
    command = f"{mended['the same as']} --resume" if mended else plain
    _say_what_next(console, folder.path, fitted.reason, task.predicts_from, command)


def _claimed(
    processes: Processes, out: Path | None, name: str, asked: dict[str, Any], resume: bool
) -> RunFolder:
    """The run's folder, which of several processes the first finds; the others write nothing there."""
    found = processes.first_does(lambda: claimed(out, name, asked, resume))
    path = processes.agreed(str(found.path) if found else "")
    return found or RunFolder(Path(path), asked, resume)


def _say_what_next(console: Console, folder: Path, reason: Reason, source: str, command: str) -> None:
    """Where the report is, and how to use the model on a source, or to go on with it."""
    place = shlex.quote(str(folder))
    if reason.name == "interrupted":
        say(console, f"go on:  {command}")
    say(console, f"report: {folder / 'report.html'}")
    say(console, f"use it: descend predict {place} {source} -o FILE")
    end_as_asked(reason)
