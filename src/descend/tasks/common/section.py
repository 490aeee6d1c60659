"""A section of a report."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from descend.insight.verdict import Verdict


@runtime_checkable
class Figure(Protocol):
    """A figure of Plotly's, which takes half a second to import."""

    def to_dict(self) -> dict[str, Any]:
        """What Plotly draws: the data and the layout."""


@dataclass(frozen=True)
class Section:
    """A part of a report: a heading, a note in words, a figure, and HTML, in which names must be escaped already."""

    heading: str
    note: str = ""
    figure: Figure | None = None
    html: str = ""


def verdict_section(verdict: "Verdict | None") -> list[Section]:
    """What stands out at the end of a descent, if there is something."""
    if not verdict:
        return []
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in verdict.all)
    return [Section("What stands out at the end", html=said)]
