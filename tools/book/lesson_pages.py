"""The studio's lessons as pages: their words, formulas, code and questions; figures move in the studio alone."""

import re

from latex2mathml.converter import convert

from descend.studio.lessons.catalogue import LESSONS
from descend.studio.lessons.pages import FIGURE, FORMULA, markdown

FENCE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
IN_THE_STUDIO = "!!! tip \"Move it\"\n    `descend studio`, *Lessons*: here is a figure with sliders."


def pages() -> dict[str, str]:
    """A page for each lesson, in their order."""
    return {f"lessons/{number:02}-{lesson.name}.md": _page(lesson.name) for number, lesson in enumerate(LESSONS, 1)}


def _page(name: str) -> str:
    parts = FENCE.split(markdown(name).replace(FIGURE, IN_THE_STUDIO))
    return "".join(part if part.startswith("```") else FORMULA.sub(_mathml, part) for part in parts)


def _mathml(found: re.Match[str]) -> str:
    text = (found[1] or found[2]).replace("−", "-")
    return convert(text, display="block" if found[1] else "inline")
