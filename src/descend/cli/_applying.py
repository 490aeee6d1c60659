"""`descend doctor --apply`: a training anew, with the settings that see to what was proved."""

import json
import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from descend.cli._console import Console, say
from descend.cli._fit import fit_task
from descend.errors import InputError
from descend.tasks.begun import Begun
from descend.tasks.common.mending import mending, proved
from descend.tasks.common.settings import Settings
from descend.tasks.images.pictures import CLASS

if TYPE_CHECKING:
    from descend.insight import Examination


def train_mended(found: "Examination", start: Begun, run: Path, source: str, out: Path, console: Console) -> None:
    """Train as `descend fit` would with the mended settings, into a folder of its own, and say what that brought.

    **Raises** `InputError` where no setting would see to what was proved, or what would does not prove better; then
    nothing is written.
    """
    made = mending(found)
    for why in made.left:
        say(console, f"not applied: {why}")
    if start.task is None or not made.settings:
        left = f": {'; '.join(made.left)}" if made.left else ""
        raise InputError(f"nothing was proved that a setting of descend fit would see to, and {out} was not written"
                         f"{left}")
    task = start.task.mended(start.prepared, **made.settings)
    say(console, f"trying {_changes(start.task.settings, task.settings)}")
    # 1. The settings are proved as the command takes them.
    replay = proved(found, task.begun(task.prepare())[0].run, made)
    say(console, f"    {replay}")
    # 2. The training itself, to its end. Whoever reads its folder sees where it comes from.
    command = _command(task.settings, source, out)
    mended = {"run": str(run), "changes": _changes(start.task.settings, task.settings),
              "because": list(made.because), "not applied": list(made.left), "the same as": command}
    say(console, f"the same as: {command}")
    fit_task(task, source, out, False, console, False, mended)
    say(console, _compared(run, out))


def _changes(before: Settings, after: Settings) -> str:
    pairs = ((field.name, getattr(before, field.name), getattr(after, field.name)) for field in fields(Settings))
    told = lambda value: "none given" if value is None else f"{value}"
    return ", ".join(f"{name.replace('_', ' ')}: {told(old)} to {new}" for name, old, new in pairs if old != new)


def _command(settings: Settings, source: str, out: Path) -> str:
    """The command whose training it is; it goes on with it by --resume."""
    words = ["descend", "fit", source]
    for field in fields(Settings):
        value = getattr(settings, field.name)
        # Pictures have their classes, and take no target.
        if value is True:
            words.append(f"--{field.name.replace('_', '-')}")
        elif value != field.default and not (field.name == "target" and value == CLASS):
            for each in value if isinstance(value, tuple) else (value,):
                words += [f"--{field.name.replace('_', '-')}", str(each)]
    return shlex.join([*words, "--out", str(out)])


def _compared(run: Path, out: Path) -> str:
    """The scores of both runs."""
    old, new = (json.loads(file.read_bytes()) if (file := folder / "metrics.json").exists() else {}
                for folder in (run, out))
    if not old or old.get("metric") != new.get("metric"):
        return f"{run} has no score to compare with"
    # Held out of both trainings, but the settings were chosen by them.
    return (f"{new['metric']} on the held-out examples, by which replays were judged, too: {old['score']:.4f} in {run} "
            f"({old['model']}), {new['score']:.4f} in {out} ({new['model']})")
