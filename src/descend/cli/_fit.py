"""What `descend fit` does with a task, whatever it is of."""

import json
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from descend.cli._console import Console, say, write
from descend.cli._summary import end_as_asked, in_a_grid, verdict_row
from descend.insight.verdict import Verdict, Verdicts
from descend.observers import Observer
from descend.observers.progress import LiveLines, ProgressBar
from descend.stopping import Reason
from descend.tasks.common.folder import claimed, place_of
from descend.tasks.common.task import Task


def fit_task(
    task: Task[Any, Any], source: str, out: Path | None, resume: bool, console: Console, as_json: bool,
    mended: Mapping[str, Any] | None = None, insight: bool = True,
) -> None:
    """Fit, write the run's folder, and say what came of it. `source`: where what is fitted was read from; `mended`:
    what its settings are changed from, and why.
    `insight`: whether to say what stands out at the end."""
    asked = task.asked | {"source": place_of(source)} | ({"mended": dict(mended)} if mended else {})
    folder = claimed(out, task.name, asked, resume)
    # What cannot be learnt is refused before anything is written.
    prepared = task.prepare()
    folder.begin()
    board, judges = LiveLines(console), defaultdict[str, Verdicts](Verdicts)

    def looks_on(title: str) -> Sequence[Observer]:
        bar = () if console.quiet else (ProgressBar(title, console, board=board),)
        return (*bar, judges[title.strip()]) if insight else bar

    with ThreadPoolExecutor(1) as pool:
        # Plotly takes half a second to import, in which steps are computed.
        pool.submit(import_module, "descend.tasks.common.page")
        fitted = task.train(prepared, looks_on, folder.checkpoints, resume)
    # What was solved makes no steps, and comes with a certificate instead.
    if told := judges[fitted.descended].each:
        fitted = replace(fitted, verdict=Verdict.of(told))
    # Also of what was interrupted: it is judged, reported and stored as far as it came, and can go on from there.
    outcome = task.judge(fitted)
    facts = task.metrics(fitted, outcome)
    facts |= {name: folder.asked[name] for name in ("mended",) if name in folder.asked}
    with folder.closing():
        task.save(folder, fitted, outcome, facts)
    if as_json:
        write(json.dumps(facts, indent=2, ensure_ascii=False))
    console.print(in_a_grid([*task.summary(fitted, outcome, facts), *verdict_row(facts)]))
    plain = f"the same command with --resume --out {shlex.quote(str(folder.path))}"
    command = f"{mended['the same as']} --resume" if mended else plain
    _say_what_next(console, folder.path, fitted.reason, task.predicts_from, command)


def _say_what_next(console: Console, folder: Path, reason: Reason, source: str, command: str) -> None:
    """Where the report is, and how to use the model on a source, or to go on with it."""
    place = shlex.quote(str(folder))
    if reason.name == "interrupted":
        say(console, f"go on:  {command}")
    say(console, f"report: {folder / 'report.html'}")
    say(console, f"use it: descend predict {place} {source} -o FILE")
    end_as_asked(reason)
