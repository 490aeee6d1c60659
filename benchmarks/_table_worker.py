"""One method on one split: its scores and its seconds.

What is imported does not count, nor does reading a peer's frame; ours reads its file itself, as it does for a user.
"""

import resource
import time
import warnings
from typing import Any

import numpy as np

from benchmarks._table_files import load, parquet, split
from benchmarks._table_peers import PEERS, Task
from benchmarks._table_scores import behind, constant, scores
from benchmarks._tables import BY_NAME, Table
from descend.cli._threads import one_for_each_step
from descend.tasks.common.reading import read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.model import TableModel
from descend.tasks.table.task import fit_table

OURS, NOTHING = "descend", "constant"


def measure(method: str, name: str, seed: int) -> dict[str, Any]:
    """The scores of one method on the rows held out of a split, and what it took."""
    warnings.filterwarnings("ignore")
    table = BY_NAME[name]
    frame = load(table.name)
    learn, judge = split(table, frame[table.target], seed)
    names = [] if table.kind == "regression" else sorted(frame[table.target].unique())
    targets = frame[table.target].to_numpy(np.float64) if not names else frame[table.target].map(names.index).to_numpy()
    if method == OURS:
        return _ours(table, seed, targets[judge], len(names))
    X = frame.drop(columns=table.target)
    return _theirs(method, Task(X.iloc[learn], targets[learn], X.iloc[judge], len(names), seed), targets[judge])


def _theirs(method: str, task: Task, truth: np.ndarray) -> dict[str, Any]:
    clock = Clock()
    predicted = constant(task.y, len(task.X_test), task.classes) if method == NOTHING else PEERS[method](task)
    return clock.read() | scores(truth, predicted, task.classes)


def _ours(table: Table, seed: int, truth: np.ndarray, classes: int) -> dict[str, Any]:
    """What `descend fit` reaches without an option, and each of its candidates; it is told only what to predict."""
    one_for_each_step()
    clock = Clock()
    fitted = fit_table(read_table(parquet(table.name)), Settings(table.target, seed=seed))
    prepared = fitted.prepared
    predicted = fitted.model.predict(prepared.held_out.inputs)
    took = clock.read()
    if not np.allclose(prepared.held_out.targets, truth, rtol=1e-5):
        raise ValueError("the rows held out are others")
    each = {trained.name: TableModel(prepared.encoder, trained.predictor, prepared.target, prepared.scale)
            for trained in fitted.trained}
    theirs = {name: model.predict(prepared.held_out.inputs) for name, model in each.items()}
    losses = {name: scores(truth, values, classes)["loss"] for name, values in theirs.items()}
    best = theirs[min(losses, key=lambda name: losses[name])]
    return took | scores(truth, predicted, classes) | {
        "chosen": fitted.chosen.name, "candidates": losses, "behind": behind(truth, predicted, best, classes),
    }


class Clock:
    """Seconds on the wall, and those of all threads of this process and its children."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), _cpu()

    def read(self) -> dict[str, float]:
        """Since it was made."""
        return {"wall": round(time.perf_counter() - self.wall, 3), "cpu": round(_cpu() - self.cpu, 3)}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
