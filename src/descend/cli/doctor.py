"""`descend doctor`: what went wrong in a training, proved by replay."""

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from descend.cli._console import Console, say, write
from descend.errors import InputError
from descend.tasks.common.folder import refuse_taken

if TYPE_CHECKING:
    from descend.insight import Diagnosis, Examination

PAGE = "doctor.html"


def doctor(
    run: Annotated[Path, Argument(help="The folder that descend fit, lm or rl wrote.")],
    source: Annotated[
        str | None, Argument(help="What it was trained on, if that lies elsewhere by now; none for a policy.")
    ] = None,
    apply: Annotated[
        Path | None, Option(help="Of descend fit: train anew with the mended settings, into this folder.")
    ] = None,
    seconds: Annotated[float, Option(help="Time to examine, at the most.")] = 60.0,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print the diagnoses as JSON, and nothing else.")] = False,
) -> None:
    """Examine how a network is trained: causes are suspected, and proved by a replay of the training with one thing
    changed, judged on what was held out, or by what a policy earns. Writes doctor.html into the run's folder."""
    if not seconds > 0:
        raise InputError(f"--seconds must be a number above 0, but is {seconds:g}")
    console = Console(quiet=quiet or as_json)
    if apply is not None:
        refuse_taken(apply)
    say(console, f"reading {source or run}")

    from descend.tasks.begun import begun

    start = begun(run, source)
    if apply is not None and start.task is None:
        raise InputError("--apply is for runs of descend fit: descend lm and descend rl have no setting for what the "
                         "doctor changes")
    say(console, f"examining for {seconds:g} seconds at the most")

    from descend.insight import examine

    found = examine(start.run, start.judged, seconds=seconds)
    _write_page(run, start.title, found)
    if as_json:
        write(json.dumps([_facts(diagnosis) for diagnosis in found.diagnoses], indent=2, ensure_ascii=False))
    for line in str(found).splitlines():
        say(console, line)
    say(console, f"report: {run / PAGE}")
    if apply is not None and start.source is not None:
        from descend.cli._applying import train_mended

        train_mended(found, start, run, start.source, apply, console)


def _facts(diagnosis: "Diagnosis") -> dict[str, Any]:
    replay = diagnosis.replay
    told = {"name": diagnosis.name, "verdict": diagnosis.verdict, "sentence": diagnosis.sentence,
            "symptoms": diagnosis.symptoms, "line": diagnosis.line}
    if replay is None:
        return told
    low, high = replay.interval
    return told | {"change": replay.words, "gain": replay.gain, "low": low, "high": high, "steps": replay.steps,
                   "draws": len(replay.before)}


def _write_page(run: Path, title: str, found: "Examination") -> None:
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
    RunFolder(run, {}).write_report(page(title, lines, sections, facts), PAGE)


def _told(diagnosis: "Diagnosis") -> str:
    """The replay in words, and what to write instead."""
    parts = [f"<p>{escape(str(diagnosis.replay))}</p>" if diagnosis.replay else ""]
    parts += [f"<p>Write: <code>{escape(diagnosis.line)}</code></p>"] if diagnosis.line else []
    return "".join(parts)
