"""`descend doctor`: what went wrong in a training, proved by replay."""

import json
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from descend.cli._console import Console, say, write
from descend.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from descend.insight import Diagnosis, Examination
    from descend.tasks.common.settings import Settings

PAGE = "doctor.html"


def doctor(
    run: Annotated[Path, Argument(help="The folder that descend fit wrote.")],
    source: Annotated[str, Argument(help="The table that it was trained on.")],
    seconds: Annotated[float, Option(help="Time to examine, at the most.")] = 60.0,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print the diagnoses as JSON, and nothing else.")] = False,
) -> None:
    """Examine how the network of a table is trained: causes are suspected, and proved by a replay of the training with
    one thing changed, judged on the rows that were held out. Writes doctor.html into the run's folder."""
    if not seconds > 0:
        raise InputError(f"--seconds must be a number above 0, but is {seconds:g}")
    console = Console(quiet=quiet or as_json)
    asked, settings = _asked(run)
    say(console, f"reading {source}")

    from descend.cli._table_task import task_of_table
    from descend.tasks.common.reading import read_table
    from descend.tasks.images.pictures import has_pictures

    if has_pictures(source):
        raise InputError("of pictures, the doctor examines nothing yet: give descend.insight.examine your own run")
    task = task_of_table(read_table(source), settings)
    if task.digest != asked.get("digest"):
        raise InputError(f"{run} was trained on another table than {source}, or its content has changed since")
    start, held_out = task.begun(task.prepare())
    say(console, f"examining for {seconds:g} seconds at the most")

    from descend.insight import examine

    found = examine(start, held_out, seconds=seconds)
    _write_page(run, source, found)
    if as_json:
        write(json.dumps([_facts(diagnosis) for diagnosis in found.diagnoses], indent=2, ensure_ascii=False))
    for line in str(found).splitlines():
        say(console, line)
    say(console, f"report: {run / PAGE}")


def _asked(run: Path) -> tuple[dict[str, Any], "Settings"]:
    """What a run was asked for.

    **Raises** `InputError` if there is none, `CheckpointError` if its settings are no settings.
    """
    from descend.tasks.common.settings import Settings

    file = run / "run.json"
    if not file.exists():
        raise InputError(f"{run} is no run's folder: give the one that `descend fit` wrote")
    try:
        asked = json.loads(file.read_bytes())
        named = {field.name: asked["settings"][field.name] for field in fields(Settings)}
        return asked, Settings(**named)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} is damaged ({error!r}): train again with `descend fit`") from None


def _facts(diagnosis: "Diagnosis") -> dict[str, Any]:
    replay = diagnosis.replay
    told = {"name": diagnosis.name, "verdict": diagnosis.verdict, "sentence": diagnosis.sentence,
            "symptoms": diagnosis.symptoms, "line": diagnosis.line}
    if replay is None:
        return told
    low, high = replay.interval
    return told | {"change": replay.words, "gain": replay.gain, "low": low, "high": high, "steps": replay.steps,
                   "draws": len(replay.before)}


def _write_page(run: Path, source: str, found: "Examination") -> None:
    """The diagnoses as a page: a sentence each, the evidence, and the replay as a figure."""
    from descend.tasks.common.folder import RunFolder
    from descend.tasks.common.page import page
    from descend.tasks.common.section import Section

    sections = [
        Section(escape(diagnosis.sentence), diagnosis.symptoms, diagnosis.replay.plot() if diagnosis.replay else None,
                _told(diagnosis))
        for diagnosis in found.proved
    ]
    others = [one for one in found.diagnoses if one.verdict != "proved"]
    if others:
        rows = "".join(f"<tr><th>{escape(one.name)}<td>{one.verdict}<td>{escape(one.symptoms)}" for one in others)
        sections.append(Section("What else was looked into", html=f"<table>{rows}</table>"))
    score = "no fault was proved" if not found.proved else f"{len(found.proved)} proved"
    unseen = list(found.notes) or "nothing"
    facts = {"steps of a replay": found.steps, "seconds": found.seconds, "not looked at": unseen}
    lines = [f"<p class=score>{score}</p>"]
    RunFolder(run, {}).write_report(page(f"The training on {source}", lines, sections, facts), PAGE)


def _told(diagnosis: "Diagnosis") -> str:
    """The replay in words, and what to write instead."""
    parts = [f"<p>{escape(str(diagnosis.replay))}</p>" if diagnosis.replay else ""]
    parts += [f"<p>Write: <code>{escape(diagnosis.line)}</code></p>"] if diagnosis.line else []
    return "".join(parts)
