"""`descend fit` on a table."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.table import Table as Grid

from descend._files import write_atomically
from descend.cli._closing import in_a_grid, say_what_next
from descend.cli._console import Console, write
from descend.observers import Observer
from descend.observers.progress import LiveLines, ProgressBar
from descend.tasks.common.folder import RunFolder, find_folder
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.linear.coefficients import as_frame, coefficients
from descend.tasks.table.outcome import Outcome, judge, metrics
from descend.tasks.table.preparing import prepare
from descend.tasks.table.storing import save_model
from descend.tasks.table.training import Fitted, train


def fit_table(
    source: Table, settings: Settings, out: Path | None, resume: bool, console: Console, as_json: bool
) -> None:
    """Train on a table, and write the run's folder."""
    folder = find_folder(out, source, settings, resume)
    prepared = prepare(source, settings)
    folder.begin()

    board = LiveLines(console)

    def looks_on(architecture: str) -> Sequence[Observer]:
        return () if console.quiet else (ProgressBar(f"{architecture:>6}", console, board=board),)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(import_module, "descend.tasks.table.report")  # takes half a second, in which steps are computed
        fitted = train(prepared, settings, observers=looks_on, checkpoints=folder.checkpoints, resume=resume)
    outcome = judge(fitted, settings.seed)
    facts = metrics(fitted, outcome, settings)
    with folder.closing():
        _write(folder, fitted, outcome, facts, source.name)
    if as_json:
        write(json.dumps(facts, indent=2, ensure_ascii=False))
    console.print(_closing(fitted, outcome, facts))
    say_what_next(console, folder.path, fitted.reason, "TABLE")


def _write(folder: RunFolder, fitted: Fitted, outcome: Outcome, facts: dict[str, Any], name: str) -> None:
    """Write the run's files; the model comes first, and the metrics last: where they are, the rest is."""
    from descend.tasks.table.report import render

    save_model(folder, fitted.model)
    history = fitted.chosen.history.to_pandas().to_parquet(index=False)
    write_atomically(folder.path / "history.parquet", history)
    found = coefficients(fitted.linear, fitted.prepared) if fitted.linear else []
    if found:
        write_atomically(folder.path / "coefficients.csv", as_frame(found).to_csv(index=False).encode())
    folder.write_report(render(fitted, outcome, facts, found, name))
    folder.write_json("metrics.json", facts)


def _closing(fitted: Fitted, outcome: Outcome, facts: dict[str, Any]) -> Grid:
    """What came of it."""
    task = fitted.prepared.task
    dropped = f", {facts['dropped']:,} more without a target" if facts["dropped"] else ""
    return in_a_grid((
        ("rows", f"{facts['rows']:,}, of which {facts['held_out']:,} were held out{dropped}"),
        ("features", f"{facts['features']:,} from {len(fitted.prepared.encoder.used):,} columns"),
        ("task", f"{task.kind} ({task.reason})"),
        ("model", fitted.chosen.predictor.describe()),
        ("why", fitted.why),
        ("optimizer", facts["optimizer"]),
        ("stopped", str(fitted.reason)),
        *([("linear", fitted.linear.certificate.brief)] if fitted.linear else []),
        ("score", f"{outcome.metric} {outcome.score:.4f} on held-out rows; the plainest guess: {outcome.baseline:.4f}"),
        ("weightiest", ", ".join(name for name, fall in list(outcome.weights.items())[:5] if fall > 0) or "none"),
        ("time", f"{facts['seconds']:.1f} s of training"),
    ))
