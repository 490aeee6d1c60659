"""What is left of a sweep: its winner as a run, its table, and its report."""

import json
import shutil
from pathlib import Path
from typing import Any

from descend._files import write_atomically
from descend.tasks.common.fitting import stored, trained
from descend.tasks.common.folder import RunFolder
from descend.tasks.sweep.report import sweep_page
from descend.tasks.sweep.sweeping import Sweep
from descend.tasks.sweep.told import frame_of

# The folder of the model that is kept, and the table of all trials.
WINNER, TABLE = "winner", "trials.csv"


def kept(sweep: Sweep) -> dict[str, Any]:
    """Keep the winner, and write the table and the report; the winner's facts. What was kept is not made again."""
    facts = _winner(sweep, sweep.folder.path / WINNER)
    with sweep.folder.closing():
        write_atomically(sweep.folder.path / TABLE, frame_of(sweep).to_csv(index=False).encode())
        sweep.folder.write_report(sweep_page(sweep, facts))
    return facts


def _winner(sweep: Sweep, path: Path) -> dict[str, Any]:
    """It is judged on the examples that were held out, and stored, as by `descend fit`."""
    folder = RunFolder(path, sweep.winner.folder.asked, resume=True)
    folder.begin()
    try:
        return _stored(sweep, folder)
    finally:
        folder.release()


def _stored(sweep: Sweep, folder: RunFolder) -> dict[str, Any]:
    path, made = folder.path, sweep.winner.folder.checkpoints
    if (told := path / "metrics.json").exists():
        facts: dict[str, Any] = json.loads(told.read_bytes())
        return facts
    if made.exists() and not folder.checkpoints.exists():
        # Under another name first, as a copy may be cut off.
        begun = path / ".checkpoints"
        shutil.rmtree(begun, ignore_errors=True)
        shutil.copytree(made, begun, ignore=shutil.ignore_patterns(".*")).rename(folder.checkpoints)
    task = sweep.task.settled(sweep.winner.settings)
    fitted = trained(task, task.again(sweep.prepared), folder, lambda _: ())
    return stored(task, fitted, folder, {})[1]
