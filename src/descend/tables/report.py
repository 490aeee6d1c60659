"""The report of a training: one HTML file that needs no network."""

from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from descend._figures import COLOUR, training_curves
from descend.tables.coefficients import Coefficient
from descend.tables.linear_report import section
from descend.tables.outcome import Outcome
from descend.tables.target import Task
from descend.tables.training import Fitted

MOST_COLUMNS = 20
MOST_LABELS = 20  # classes whose rows can be written into the fields of a figure
MOST_POINTS = 2000
LONGEST = 30  # letters of a name in a figure
MARGIN = {"t": 20, "l": 70, "r": 20, "b": 50}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } .score { font-size: 2.2rem; font-weight: 600 } .note { color: #666 }
table { border-collapse: collapse } td, th { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #eee }
"""


def render(
    fitted: Fitted, outcome: Outcome, metrics: dict[str, Any], found: list[Coefficient], name: str
) -> str:
    """The report on a table called `name` as a page: score, curves, the weightiest columns, the facts, all columns.

    `found`: the linear model's coefficients, if there is one.
    """
    chosen, task = fitted.chosen, fitted.prepared.task
    title = f"{escape(metrics['target'])} from {escape(name)}"
    curves = training_curves(chosen.history, chosen.reason).update_layout(title=None, margin=MARGIN)
    figures = [
        ("How the training went", f"Stopped by {fitted.reason}.", curves),
        ("Predictions on held-out rows", "", _predictions(outcome, task)),
        ("The weightiest columns", f"By how much the {outcome.metric} falls when a column's values are shuffled among "
         "the held-out rows.", _weights(outcome)),
    ]
    body = "".join(section_of(*parts, is_first=number == 0) for number, parts in enumerate(figures))
    columns = "".join(
        f"<tr><td>{escape(column.name)}<td>{column.kind}<td class=note>{escape(column.reason)}"
        for column in fitted.prepared.encoder.columns
    )
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>{title}</title>
<style>{STYLE}</style>
<h1>{title}</h1>
<p class=score>{outcome.metric} {outcome.score:.4f}</p>
<p>on {metrics["held_out"]:,} rows that were held out; the plainest guess has {outcome.baseline:.4f}.</p>
<p>The model is {metrics["model"]}: {escape(fitted.why)}.</p>
{body}
{section(fitted, found, metrics["target"])}
<h2>All facts</h2>{facts_table(metrics)}
<h2>What the columns were taken for</h2>
<p class=note>The target, {escape(metrics["target"])}, was taken for {task.kind}: {escape(task.reason)}.</p>
<table>{columns}</table>
</html>
"""


def section_of(heading: str, note: str, figure: go.Figure, *, is_first: bool) -> str:
    """A heading, a note and a figure; the first of a page brings Plotly along."""
    drawn = figure.to_html(full_html=False, include_plotlyjs=is_first, config={"displayModeBar": False})
    return f"<h2>{heading}</h2><p class=note>{escape(note)}</p>{drawn}"


def facts_table(facts: dict[str, Any]) -> str:
    """Facts, a row each."""
    named = {escape(key.replace("_", " ")): escape(_plain(value)) for key, value in facts.items()}
    return f"<table>{''.join(f'<tr><th>{name}<td>{value}' for name, value in named.items())}</table>"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _predictions(outcome: Outcome, task: Task) -> go.Figure:
    """Predicted against true values, or the confusion of classes."""
    truth, values = outcome.truth, outcome.predictions
    if task.kind != "regression":
        return confusion(truth, values.argmax(axis=1), task.classes)
    figure = go.Figure()
    chosen = np.random.default_rng(0).permutation(len(truth))[:MOST_POINTS]
    ends = [float(truth.min()), float(truth.max())]
    figure.add_scatter(x=truth[chosen], y=values[chosen], mode="markers", name="held-out rows",
                       marker={"size": 5, "opacity": 0.5, "color": COLOUR})
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"dash": "dot", "color": "#888"}, name="exact")
    figure.update_layout(xaxis_title="true", yaxis_title="predicted")
    return figure.update_layout(template="plotly_white", height=480, margin=MARGIN)


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...], what: str = "rows") -> go.Figure:
    """How often each class, given by its number, was taken for each other one."""
    from sklearn.metrics import confusion_matrix  # a second to import

    figure, names = go.Figure(), [shortened(name) for name in classes]
    counts = confusion_matrix(truth, predicted, labels=range(len(classes)))
    figure.add_heatmap(z=counts, colorscale="Blues", showscale=False, xgap=1, ygap=1,
                       text=counts, texttemplate="%{text}" if len(names) <= MOST_LABELS else None,
                       hovertemplate=f"%{{z}} {what}, true %{{y}}, predicted %{{x}}<extra></extra>")
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False}
    figure.update_layout(xaxis={"title": "predicted", **ticks},
                         yaxis={"title": "true", "autorange": "reversed", "automargin": True, **ticks})
    return figure.update_layout(template="plotly_white", height=480, margin=MARGIN)


def _weights(outcome: Outcome) -> go.Figure:
    top = list(outcome.weights.items())[:MOST_COLUMNS]
    figure = go.Figure()
    figure.add_bar(x=[fall for _, fall in top], y=list(range(len(top))), orientation="h", marker={"color": COLOUR},
                   hovertemplate="%{y}: %{x:.4g}<extra></extra>")
    names = {"tickvals": list(range(len(top))), "ticktext": [shortened(name) for name, _ in top]}
    return figure.update_layout(template="plotly_white", height=120 + 24 * len(top), margin=MARGIN,
                                xaxis={"title": f"fall of {outcome.metric}", "rangemode": "tozero"},
                                yaxis={"autorange": "reversed", "automargin": True, **names})


def shortened(name: str) -> str:
    """A name that leaves room for the figure, and that Plotly does not read as HTML."""
    return escape(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")
