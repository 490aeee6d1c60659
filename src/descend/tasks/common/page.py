"""What all reports are made of: one HTML file that needs no network."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from descend.tasks.common.section import Figure, Section

# Letters of a name in a figure.
NAME_LENGTH = 30
MARGIN = {"t": 20, "l": 70, "r": 20, "b": 50}
# Above a figure, at its right.
LEGEND = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } .score { font-size: 2.2rem; font-weight: 600 } .note { color: #666 }
table { border-collapse: collapse; display: block; max-width: 100%; overflow-x: auto }
td, th { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #eee }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem }
"""


def page(
    title: str, lines: Iterable[str], sections: Iterable[Section], facts: Mapping[str, Any], style: str = ""
) -> str:
    """A report. `lines`: HTML that says the most important things. `facts`: all that is known, for its own table."""
    parts, has_plotly = [], False
    for section in sections:
        parts.append(f"<h2>{section.heading}</h2>")
        if section.note:
            parts.append(f"<p class=note>{escape(section.note)}</p>")
        if section.figure is not None:
            # The first figure brings Plotly along, which is most of the page.
            parts.append(_drawn(section.figure, with_plotly=not has_plotly))
            has_plotly = True
        parts.append(section.html)
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>{escape(title)}</title>
<style>{STYLE}{style}</style>
<h1>{escape(title)}</h1>
{"".join(lines)}
{"".join(parts)}
<h2>All facts</h2>{facts_table(facts)}
</html>
"""


def figure_html(figure: Figure) -> str:
    """A figure for the HTML of a section that comes after another figure."""
    return _drawn(figure, with_plotly=False)


def beside(*figures: Figure) -> str:
    """Figures beside each other, or below each other where the page is narrow, as `figure_html` gives one."""
    return f"<div class=beside>{''.join(f'<div>{figure_html(figure)}</div>' for figure in figures)}</div>"


def _drawn(figure: Figure, *, with_plotly: bool) -> str:
    """With Plotly's white template, written into the page as it is: a figure that is told of it checks hundreds of
    settings, which takes longer than all else about it.
    """
    # Plotly takes half a second to import; whoever made the figure has done so.
    import plotly.io

    drawn = figure.to_dict()
    drawn["layout"]["template"] = plotly.io.templates["plotly_white"].to_plotly_json()
    settings = {"displayModeBar": False}
    return plotly.io.to_html(drawn, settings, include_plotlyjs=with_plotly, full_html=False, validate=False)


def facts_table(facts: Mapping[str, Any]) -> str:
    """Facts, a row each."""
    named = {escape(key.replace("_", " ")): escape(_plain(value)) for key, value in facts.items()}
    return f"<table>{''.join(f'<tr><th>{name}<td>{value}' for name, value in named.items())}</table>"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def shortened(name: str) -> str:
    """A name that leaves room for the figure, and that Plotly does not read as HTML."""
    return escape(name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…")
