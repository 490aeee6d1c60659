"""Trainings that fail, run while the book is made: what the doctor says of each, and both descents as curves."""

import re
import tempfile
from html import escape
from pathlib import Path

import numpy as np

from descend.insight import Diagnosis, Examination
from tools.book import fences
from tools.book.charts import Line, of_lines

PAGE = fences.ROOT / "docs" / "failing.md"
# Losses of batches are drawn as means of so many parts of a descent.
PARTS = 60


def page() -> str:
    """The page, with a figure below each training.

    **Raises** `ValueError` if of a training nothing was proved: the page would show what is not there.
    """
    text = PAGE.read_text(encoding="utf-8")
    names: fences.Names = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in fences.parts(PAGE):
            names.pop("found", None)
            # As a module's name would be: the doctor tells of lines by it.
            fences.run(part.fences, "your code", Path(folder), names)
            if "found" in names:
                code = part.fences[-1].code
                text = text.replace(f"{code}```\n", f"{code}```\n\n{_figure(part, names['found'])}\n", 1)
    return text


def _figure(part: fences.Part, found: Examination) -> str:
    if not found.proved:
        raise ValueError(f"{part}: nothing was proved: {found}")
    chart = _curves(found) if any(one.change for one in found.proved) else ""
    told = "".join(f"<p>{_told(one)}</p>" for one in found.proved)
    return f'<figure class="doctor">{told}{chart}</figure>'


def _told(one: Diagnosis) -> str:
    """What the doctor says of a cause."""
    replay = f"<br>{escape(str(one.replay))}." if one.replay else ""
    write = f"<br>Write: <code>{escape(one.line)}</code>" if one.line else ""
    sentence = re.sub(r"\s+", " ", one.sentence).rstrip(".")
    return f"<b>{escape(sentence)}.</b>{replay}{write}"


def _curves(found: Examination) -> str:
    """The losses of the descent as it was, and with what was proved seen to."""
    begun = found.case.start
    runs = {"as it was": begun, "with what was proved seen to": found.mended()}
    lines = []
    for i, (title, run) in enumerate(runs.items()):
        losses = np.asarray(run.advance(found.steps)[1].columns["loss"], float)
        lines.append(Line(title, *_means(losses, begun.step), i))
    return of_lines(lines, "step", "loss of the batches", log=True)


def _means(losses: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    parts = np.array_split(np.arange(len(losses)), min(PARTS, len(losses)))
    return np.array([first + part.mean() for part in parts]), np.array([losses[part].mean() for part in parts])
