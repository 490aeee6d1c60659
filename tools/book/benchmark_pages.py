"""The last tables of benchmarks as charts: every row, those that are lost as plainly as those that are won."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "RESULTS.md"
# Ratios are printed with two digits: what is nearer to 1 is a draw.
DRAW = 0.005
# A bar is full at a ratio of so much, or its inverse.
FULL = 10.0
LEGEND = (
    '<p class="bench-legend"><span class="won">ours is better</span> <span class="lost">the peer is better</span> '
    "Bars show the ratio on a scale of logarithms.</p>"
)


@dataclass(frozen=True)
class Row:
    """A row of a table: ours is better where `ratio` is above 1."""

    workload: str
    peer: str
    quantity: str
    unit: str
    ours: str
    theirs: str
    ratio: float

    @property
    def outcome(self) -> str:
        """won, lost, or a draw; none where nobody is beside it."""
        if math.isnan(self.ratio):
            return "alone"
        return "won" if self.ratio > 1 + DRAW else "lost" if self.ratio < 1 - DRAW else "draw"


@dataclass(frozen=True)
class Benchmark:
    """A section of the results: its name, what its words say, and its rows."""

    name: str
    words: str
    rows: tuple[Row, ...]

    def count(self, outcome: str) -> int:
        """How many rows came out so."""
        return sum(row.outcome == outcome for row in self.rows)


def benchmarks(text: str) -> list[Benchmark]:
    """What `benchmarks/RESULTS.md` has."""
    found = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, _, rest = section.partition("\n")
        words = "\n".join(line for line in rest.splitlines() if not line.startswith("|"))
        found.append(Benchmark(name.strip(), words.strip(), tuple(_rows(rest))))
    return found


def _rows(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 7 and cells[0] != "workload" and not cells[0].startswith("---"):
            workload, peer, quantity, unit, ours, theirs, ratio = cells
            yield Row(workload, peer, quantity, unit, ours, theirs, float(ratio))


def pages() -> dict[str, str]:
    """A page for each benchmark, and one that counts."""
    found = benchmarks(RESULTS.read_text(encoding="utf-8"))
    return {"benchmarks/index.md": overview(found)} | {f"benchmarks/{one.name}.md": page(one) for one in found}


def overview(found: Sequence[Benchmark]) -> str:
    """How many rows are won and lost, of each benchmark."""
    head = "| benchmark | what is measured | won | draw | lost |\n| --- | --- | ---: | ---: | ---: |"
    rows = [f"| [{one.name}]({one.name}.md) | {_first(one.words)} | {_counts(one)} |" for one in found]
    won, lost = (sum(one.count(outcome) for one in found) for outcome in ("won", "lost"))
    says = (
        "`make bench` measures what we claim, beside a peer at its best. A row compares one quantity on one workload "
        f"with one peer. Of all rows, {won} are won and {lost} are lost; each page shows them all. Some peers are no "
        "rivals but a bound: a bare `lax.scan` without anything around it, or a copy of memory."
    )
    return "\n".join(["# Benchmarks\n", says, "", head, *rows, ""])


def _counts(one: Benchmark) -> str:
    return " | ".join(str(one.count(outcome)) for outcome in ("won", "draw", "lost"))


def page(one: Benchmark) -> str:
    """A benchmark: its words, and a bar for each row."""
    told = f"Of {len(one.rows)} rows, {one.count('won')} are won and {one.count('lost')} lost."
    if one.count("alone") == len(one.rows):
        told = "Nobody is beside these: they show how time grows."
    groups = groupby(one.rows, key=lambda row: f"{row.quantity}, {row.unit}")
    charts = [_chart(title, list(rows)) for title, rows in groups]
    # Where quantities alternate, a table for each would be a table for a row.
    shown = "".join(charts) if len(charts) <= len(one.rows) / 2 else _chart("", list(one.rows))
    return "\n\n".join([f"# {one.name}", one.words, told, LEGEND, shown]) + "\n"


def _chart(title: str, rows: Sequence[Row]) -> str:
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    head = "<thead><tr><th>workload</th><th>peer</th><th>ours</th><th>theirs</th><th>ratio</th></tr></thead>"
    body = "".join(_bar(row, bool(title)) for row in rows)
    return f'<div class="bench-scroll"><table class="bench">{caption}{head}<tbody>{body}</tbody></table></div>'


def _bar(row: Row, has_unit: bool) -> str:
    unit = "" if has_unit else f" {row.unit}"
    share = 0.0 if math.isnan(row.ratio) else min(1.0, abs(math.log(max(row.ratio, 1e-9))) / math.log(FULL))
    theirs = "did not come to it" if row.theirs == "inf" else "–" if row.theirs == "nan" else f"{row.theirs}{unit}"
    workload = escape(row.workload) + ("" if has_unit else f" <small>{escape(row.quantity)}</small>")
    bar = f'<span class="bar" style="--share:{share:.3f}"></span>{_ratio(row.ratio)}'
    cells = [workload, escape(row.peer), f"{row.ours}{unit}", theirs]
    told = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{row.outcome}">{told}<td class="ratio">{bar}</td></tr>'


def _ratio(value: float) -> str:
    if math.isnan(value):
        return ""
    return "∞" if math.isinf(value) else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _first(words: str) -> str:
    return " ".join(words.split("\n\n", maxsplit=1)[0].split())
