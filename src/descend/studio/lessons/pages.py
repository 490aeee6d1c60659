r"""Pages as they are written: Markdown with LaTeX between dollars, and what they tell filled in; and as HTML."""

import re
from functools import cache
from pathlib import Path

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from descend.studio.lessons.numbers import NUMBERS

PAGES = Path(__file__).parent / "pages"
# Where in a page its figure stands.
FIGURE = '<div class="figure"></div>'
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^\s$](?:[^$]*[^\s$])?)\$", re.DOTALL)


def markdown(name: str) -> str:
    """A page as Markdown, with its numbers filled in: formulas are LaTeX between dollars.

    >>> "{{" in markdown("momentum")
    False
    """
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    parts = re.split(r"(^```.*?^```)", text, flags=re.DOTALL | re.MULTILINE)
    # Code prints a hyphen, people write a minus.
    return "".join(_filled(part, "-" if part.startswith("```") else "−") for part in parts)


def _filled(text: str, minus: str) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: NUMBERS[found[1]].replace("-", minus), text)


@cache
def html(name: str) -> tuple[str, str]:
    """A page as HTML, what stands before its figure and what stands behind."""
    before, _, behind = _reader().render(markdown(name)).partition(FIGURE)
    return before, behind


@cache
def _reader() -> MarkdownIt:
    # The pages are our own: what they have of HTML, answers that unfold, is meant.
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    # Before emphasis and escapes are looked for, which LaTeX has other meanings for.
    reader.inline.ruler.before("escape", "formula", _read_formula)
    reader.add_render_rule("formula", _write_formula)
    return reader


def _read_formula(state: StateInline, silent: bool) -> bool:
    found = FORMULA.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = (found[1] or found[2]).strip(), "$$" if found[1] else "$"
    state.pos = found.end()
    return True


def _write_formula(_: object, tokens: list[Token], at: int, *__: object) -> str:
    display = "block" if tokens[at].markup == "$$" else "inline"
    # As signs of their own, primes are where fonts have them; raised once more, they would float away.
    return convert(tokens[at].content.replace("−", "-").replace("''", "″").replace("'", "′"), display=display)
