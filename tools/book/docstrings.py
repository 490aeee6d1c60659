"""Docstrings of this house as Markdown: boxes become MathML, sessions fenced code, papers links."""

import inspect
import re
import textwrap
from typing import Any

from tools.book.notation import box

ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
REFERENCE = re.compile(r"References?:\s")
# A title, and below it what belongs to it, one on a line or several.
LIST = re.compile(r"(\w+):\n((?: {4}.*\n?)+)")
# A box is mathematics; other indented lines are shown as they are.
EQUATION = re.compile("[=←≤→‖]")
CODE = re.compile(r"^\s*(>>>|descend |def |class |from |import |python |\$ )|\w\(\w+=", re.MULTILINE)


def markdown(text: str) -> str:
    """A docstring, cleaned of its indentation, as Markdown.

    >>> print(markdown("Descends.\\n\\n>>> 1 + 1\\n2\\n\\nReference: Somebody, arXiv 1412.6980."))
    Descends.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    <BLANKLINE>
    Reference: Somebody, [arXiv 1412.6980](https://arxiv.org/abs/1412.6980).
    """
    return "\n\n".join(map(_paragraph, paragraphs(text)))


def paragraphs(text: str) -> list[str]:
    """What is between empty lines."""
    return [part.rstrip() for part in re.split(r"\n\s*\n", text.strip("\n")) if part.strip()]


def of(thing: Any) -> str:
    """The docstring of a thing, cleaned."""
    return inspect.getdoc(thing) or ""


def without_reference(text: str) -> str:
    """A docstring without the paragraph that names its papers."""
    return "\n\n".join(part for part in paragraphs(text) if not REFERENCE.match(part))


def linked(text: str) -> str:
    """Words with the papers of arXiv as links."""
    return ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", text)


def _paragraph(part: str) -> str:
    if part.startswith(">>>"):
        return f"```pycon\n{part}\n```"
    if part.startswith("    "):
        plain = textwrap.dedent(part)
        is_box = EQUATION.search(plain) and not CODE.search(plain)
        return box(plain) if is_box else f"```text\n{plain}\n```"
    if listed := LIST.fullmatch(part):
        return f"**{listed[1]}**\n\n" + "\n".join(map(_item, re.split(r"\n {4}(?=\S)", "\n" + listed[2])[1:]))
    return linked(part)


def _item(text: str) -> str:
    """An argument and what it is, as an item of a list."""
    names, colon, says = " ".join(text.split()).partition(":")
    return f"- `{names}`:{says}" if colon else f"- {names}"
