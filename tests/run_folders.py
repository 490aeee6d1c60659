"""Folders of runs as commands write them, made without training anything."""

import json

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from descend.engine.history import History
from descend.engine.storing import write_arrays

SETTINGS = {"target": "y", "model": "mlp", "learning_rate": 0.1, "seed": 0}
METRICS = {"task": "regression", "model": "mlp", "metric": "r2", "score": 0.5, "reason": "budget",
           "evidence": "10 steps were made", "steps": 10, "seconds": 2.5, "verdict": ["It was short."]}


def asked(folder, **settings):
    """A run that was begun, and no more."""
    folder.mkdir(parents=True)
    told = {"table": "prices", "digest": "d" * 64, "settings": SETTINGS | settings}
    (folder / "run.json").write_text(json.dumps(told))
    return folder


def finished(folder, metrics=(), losses=(3.0, 2.0, 1.0), **settings):
    """A run that came to its end."""
    asked(folder, **settings)
    columns = {"step": np.arange(len(losses)), "loss": np.float32(losses)}
    parquet.write_table(pa.table(columns), folder / "history.parquet")
    (folder / "report.html").write_text("<!doctype html><title>report</title><p id=told>what came of it</p>")
    (folder / "metrics.json").write_text(json.dumps(METRICS | dict(metrics)))
    return folder


def checkpointed(folder, losses, seconds=1.0):
    """What a training under way has written so far."""
    history = History.from_arrays({"step/step": np.arange(len(losses)), "step/loss": np.float32(losses),
                                   "validation/step": np.array([len(losses)]), "validation/loss": np.array([0.5])}, 1)
    arrays = {f"history/{name}": array for name, array in history.to_arrays().items()}
    (folder / "checkpoints").mkdir(exist_ok=True)
    write_arrays(folder / "checkpoints" / "mlp.safetensors", arrays | {"state/step": np.int32(len(losses))},
                 {"seconds": seconds})
    return folder
