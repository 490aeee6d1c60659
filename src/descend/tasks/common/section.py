"""A section of a report."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Figure(Protocol):
    """A figure of Plotly's, which takes half a second to import."""

    def to_html(self, **options: Any) -> str:
        """The figure as HTML."""


@dataclass(frozen=True)
class Section:
    """A part of a report: a heading, a note in words, a figure, and HTML, in which names must be escaped already."""

    heading: str
    note: str = ""
    figure: Figure | None = None
    html: str = ""
