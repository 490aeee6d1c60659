"""A page for each optimizer, modifier and schedule: what its docstring says, its settings, its limit, and a race."""

import dataclasses
from collections.abc import Sequence
from html import escape
from inspect import getdoc
from typing import Any

import numpy as np

from descend.optimizers import Member, family
from tools.book import charts
from tools.book.contests import SCHEDULES, Contest, contest_of
from tools.book.docstrings import linked, markdown, of, without_reference
from tools.book.racing import Track, raced
from tools.book.surface import figure
from tools.book.svg import nice

FOLDER = "optimizers"
TITLES = {"rule": "Rules", "search": "Searches", "modifier": "Modifiers", "schedule": "Schedules"}
KINDS = {
    "rule": "A rule turns each gradient into a step. Give it as `optimizer=`.",
    "search": "A search looks for a step that is good enough, and so has no rate to choose. It wants a loss without "
              "noise: a function, or all data at once.",
    "modifier": "A modifier goes around another optimizer, and is one itself.",
    "schedule": "A schedule is a learning rate that changes with the steps. Give it in place of the number.",
}


def file_of(member: Member) -> str:
    """Where its page is, from the folder of all pages."""
    return f"{FOLDER}/{member.name.lower()}.md"


def pages() -> dict[str, str]:
    """All of them by their files, races included."""
    found = {}
    tracks = {}
    for member in family():
        contest = contest_of(member)
        tracks[member.name] = raced(contest)
        found[file_of(member)] = page(member, race(contest, tracks[member.name]))
    return {f"{FOLDER}/index.md": overview(tracks), **found}


def page(member: Member, figure_of_race: str) -> str:
    """The page of one, around the figure of its race."""
    module = _module(member)
    parts = [
        f"# {member.name}",
        f'<p class="kind">{member.kind} · <code>descend.{module}.{member.name}</code></p>',
        markdown(without_reference(of(member.cls))),
        "## A race",
        figure_of_race,
        *_rates(member),
        "## Settings",
        settings(member),
        "## How far it is stable",
        limit(member),
        "## Paper",
        linked(member.paper) or "It is older than its papers, or too simple for one.",
        f"In a terminal, `descend optimizers {member.name}` shows this. "
        f"[In the reference](../reference/descend.{module}.md#descend.{module}.{member.name}) are its methods.",
    ]
    return "\n\n".join(parts) + "\n"


def race(contest: Contest, tracks: Sequence[Track]) -> str:
    """The figure of a race, and what there is to see."""
    drawn = figure(contest.function, tracks)
    lines = [charts.Line(track.title, np.arange(len(track.losses)), track.losses, i) for i, track in enumerate(tracks)]
    chart = charts.of_lines(lines, "step", "loss", log=True)
    ends = "; ".join(_end(track, contest) for track in tracks)
    words = f"{contest.function.title}. {contest.says} {ends[0].upper()}{ends[1:]}."
    return f'<figure class="race">{drawn}{chart}<figcaption>{words}</figcaption></figure>'


def _end(track: Track, contest: Contest) -> str:
    """Where one came to."""
    rate = "" if track.rate is None else f" at the rate {nice(track.rate)}"
    steps = len(track.losses) - 1
    if not np.isfinite(track.losses[-1]) or track.losses[-1] > 1e6:
        return f"{track.title}{rate} left the picture after {steps} steps"
    early = ", where its gradient was zero" if steps < contest.steps else ""
    return f"{track.title}{rate}: loss {nice(track.losses[-1])} after {steps} steps{early}"


def _rates(member: Member) -> list[str]:
    """Of a schedule, how the rate goes in that race."""
    if member.kind != "schedule":
        return []
    schedule = SCHEDULES[member.name]
    steps = np.arange(contest_of(member).steps)
    rates = np.array([float(schedule(int(step))) for step in steps])
    line = charts.Line(escape(repr(schedule), quote=False), steps, rates, 0)
    chart = charts.of_lines([line], "step", "learning rate", log=False)
    return ["## Its rates in this race", f'<figure>{chart}</figure>']


def settings(member: Member) -> str:
    """A table of all settings with their defaults."""
    fields = [field for field in dataclasses.fields(member.cls) if field.init]
    if not fields:
        return "It has none."
    rows = "\n".join(f"| `{field.name}` | {_default(field)} |" for field in fields)
    return f"| setting | default |\n| --- | --- |\n{rows}"


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    return "must be given" if field.default is dataclasses.MISSING else f"`{field.default!r}`"


def limit(member: Member) -> str:
    """Up to which rate × curvature it is stable, and why."""
    value = member.stability_limit
    if isinstance(value, float):
        why = " ".join((getdoc(member.cls.stability_limit) or "").split("\n\n")[0].split())
        return f"At its default settings up to a learning rate × curvature of **{value:.3g}**: {why}"
    if member.kind == "schedule":
        return "That is its rule's: each rate of the schedule should be below it."
    if value == "none known":
        return "Theory gives no limit of learning rate × curvature for it."
    return "As far as the rule that it goes around."


def overview(tracks: dict[str, tuple[Track, Track]]) -> str:
    """The page that lists all."""
    parts = ["# Optimizers", f"There are {len(family())}: rules, searches, modifiers and schedules. All are values: "
             "frozen dataclasses that compose, print as they are written, and can be changed while a run goes on. The "
             "same object steps NumPy, JAX and PyTorch arrays.\n\nA limit says how large learning rate × curvature may "
             "be. The last column is the loss that each came to in the race on its page, from the same start: on "
             "Rosenbrock's banana, in 200 steps of rules and 60 evaluations of searches. One function is no verdict; "
             "it shows how they move."]
    for kind, title in TITLES.items():
        parts += [f"## {title}", KINDS[kind], _table([one for one in family() if one.kind == kind], tracks)]
    return "\n\n".join(parts) + "\n"


def _table(members: Sequence[Member], tracks: dict[str, tuple[Track, Track]]) -> str:
    races = members[0].kind in ("rule", "search")
    head = "| name | what it is | limit | loss |\n| --- | --- | --- | ---: |" if races else (
        "| name | what it is | limit |\n| --- | --- | --- |")
    rows = []
    for one in members:
        stable = f"{one.stability_limit:.3g}" if isinstance(one.stability_limit, float) else one.stability_limit
        end = f" {nice(tracks[one.name][0].losses[-1])} |" if races else ""
        rows.append(f"| [{one.name}]({one.name.lower()}.md) | {one.line.replace('|', chr(92) + '|')} | {stable} |{end}")
    return "\n".join([head, *rows])


def _module(member: Member) -> str:
    return "schedules" if member.kind == "schedule" else "optimizers"
