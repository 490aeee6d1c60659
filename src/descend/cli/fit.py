"""`descend fit`: train a model on a table."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text
from typer import Argument, Option, echo

from descend._files import write_atomically
from descend.observers import Observer
from descend.observers.progress import ProgressBar
from descend.tables.coefficients import as_frame, coefficients
from descend.tables.folder import RunFolder, find_folder, save_model
from descend.tables.outcome import Outcome, judge, metrics
from descend.tables.preparing import prepare
from descend.tables.reading import read_table
from descend.tables.report import render
from descend.tables.settings import Settings
from descend.tables.training import Fitted, train

DESCENT = ("sgd, adagrad, rmsprop, adam or adamw. With this, --learning-rate, --batch-size or --epochs the linear "
           "model is trained in such steps, too; otherwise a solver finds its minimum, and proves it.")


def fit(
    table: Annotated[str, Argument(help="A CSV, TSV, Parquet or Feather file, or sample:NAME of scikit-learn's.")],
    target: Annotated[str, Option(help="The column to predict.")],
    model: Annotated[Literal["auto", "linear", "mlp"], Option(help="auto tries both, and says why it chose.")] = "auto",
    optimizer: Annotated[str | None, Option(help=DESCENT)] = None,
    learning_rate: Annotated[float | None, Option(help="The highest of a cosine schedule.")] = None,
    batch_size: Annotated[int | None, Option(help="Rows per step.")] = None,
    epochs: Annotated[float | None, Option(help="Times to see all rows, at the most.")] = None,
    seconds: Annotated[float | None, Option(help="Time to train, at the most.")] = None,
    seed: Annotated[int, Option(help="Of the hold-out split, the weights and the shuffling.")] = 0,
    hold_out: Annotated[float, Option(help="Share of the rows to score on.")] = 0.2,
    out: Annotated[Path | None, Option(help="The run's folder; by default runs/NAME.")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print the metrics as JSON, and nothing else.")] = False,
) -> None:
    """Train a model that predicts a column of a table from the others."""
    settings = Settings(target, model, optimizer, learning_rate, batch_size, epochs, seconds, seed, hold_out)
    source = read_table(table)
    folder = find_folder(out, source, settings, resume)
    prepared = prepare(source, settings)
    folder.begin()
    console = Console(quiet=quiet or as_json)

    def looks_on(architecture: str) -> Sequence[Observer]:
        return () if console.quiet else (ProgressBar(f"{architecture:>6}", console),)

    fitted = train(prepared, settings, observers=looks_on, checkpoints=folder.checkpoints, resume=resume)
    outcome = judge(fitted, seed)
    facts = metrics(fitted, outcome, settings)
    _write(folder, fitted, outcome, facts, source.name)
    if as_json:
        echo(json.dumps(facts, indent=2, ensure_ascii=False))
    console.print(_closing(fitted, outcome, facts))
    place = shlex.quote(str(folder.path))
    if fitted.reason.name == "interrupted":
        _say(console, f"go on:  the same command with --resume --out {place}")
    _say(console, f"report: {folder.path / 'report.html'}")
    _say(console, f"use it: descend predict {place} TABLE -o FILE")


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _write(folder: RunFolder, fitted: Fitted, outcome: Outcome, facts: dict[str, Any], name: str) -> None:
    """Write the run's files; the model comes first, and the metrics last: where they are, the rest is."""
    save_model(folder, fitted.model)
    history = fitted.chosen.history.to_pandas().to_parquet(index=False)
    write_atomically(folder.path / "history.parquet", history)
    found = coefficients(fitted.linear, fitted.prepared) if fitted.linear else []
    if found:
        write_atomically(folder.path / "coefficients.csv", as_frame(found).to_csv(index=False).encode())
    write_atomically(folder.path / "report.html", render(fitted, outcome, facts, found, name).encode())
    folder.write_json("metrics.json", facts)


def _closing(fitted: Fitted, outcome: Outcome, facts: dict[str, Any]) -> Grid:
    """What came of it, in a table."""
    task = fitted.prepared.task
    grid = Grid(show_header=False, box=None, padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    dropped = f", {facts['dropped']:,} more without a target" if facts["dropped"] else ""
    for name, value in (
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
    ):
        grid.add_row(name, Text(value))
    return grid
