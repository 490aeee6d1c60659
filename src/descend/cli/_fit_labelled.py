"""`descend fit` on pictures, and on texts."""

import json
from pathlib import Path
from typing import Any

from rich.table import Table as Grid

from descend._files import write_atomically
from descend.cli._closing import in_a_grid, say_what_next
from descend.cli._console import Console, write
from descend.observers.progress import ProgressBar, duration
from descend.tasks.common.collection import Collection
from descend.tasks.common.folder import RunFolder, claimed
from descend.tasks.common.network.outcome import Outcome, judge, metrics
from descend.tasks.common.network.report import render
from descend.tasks.common.network.storing import save_classifier
from descend.tasks.common.network.training import Fitted, prepare, train
from descend.tasks.common.settings import Settings

SHOWN = 10  # classes


def fit_labelled(
    collection: Collection, settings: Settings, out: Path | None, resume: bool, console: Console, as_json: bool
) -> None:
    """Train on pictures or texts, and write the run's folder."""
    kind = "table" if collection.kind == "texts" else "collection"
    asked = {kind: collection.name, "digest": collection.digest, "settings": vars(settings)}
    folder = claimed(out, collection.name, asked, resume)
    prepared = prepare(collection, settings)
    folder.begin()
    observers = [] if console.quiet else [ProgressBar(prepared.network.model, console)]
    fitted = train(prepared, observers, folder.checkpoints / "network.safetensors")
    outcome = judge(fitted)
    facts = metrics(fitted, outcome, settings)
    with folder.closing():
        _write(folder, fitted, outcome, facts)
    if as_json:
        write(json.dumps(facts, indent=2, ensure_ascii=False))
    console.print(_closing(fitted, outcome, facts))
    say_what_next(console, folder.path, fitted.reason, "TABLE" if collection.kind == "texts" else "FOLDER")


def _write(folder: RunFolder, fitted: Fitted, outcome: Outcome, facts: dict[str, Any]) -> None:
    """Write the run's files; the model comes first, and the metrics last: where they are, the rest is."""
    save_classifier(folder.path, fitted.model)
    history = fitted.model.network.history_.to_pandas().to_parquet(index=False)
    write_atomically(folder.path / "history.parquet", history)
    folder.write_report(render(fitted, outcome, facts))
    folder.write_json("metrics.json", facts)


def _closing(fitted: Fitted, outcome: Outcome, facts: dict[str, Any]) -> Grid:
    """What came of it."""
    collection = fitted.prepared.collection
    more = f" and {len(collection.classes) - SHOWN:,} more" if len(collection.classes) > SHOWN else ""
    return in_a_grid((
        (collection.kind, f"{facts['rows']:,}, of which {facts['held_out']:,} were held out"),
        ("classes", f"{facts['classes']:,}: {', '.join(collection.classes[:SHOWN])}{more}"),
        *[("note", note) for note in collection.notes],
        ("model", fitted.model.describe()),
        ("optimizer", facts["optimizer"]),
        ("stopped", str(fitted.reason)),
        ("score", f"accuracy {outcome.score:.4f} on held-out {collection.kind}; the plainest guess: "
                  f"{outcome.baseline:.4f}"),
        ("time", f"{duration(facts['seconds'])} of training"),
    ))
