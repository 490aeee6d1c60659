"""The report of a training: one HTML file that needs no network."""

from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from descend._figures import COLOUR, training_curves
from descend.tasks.common.page import MARGIN, STYLE, confusion, facts_table, section_of, shortened
from descend.tasks.common.target import Task
from descend.tasks.table.linear.coefficients import Coefficient
from descend.tasks.table.linear.report import section
from descend.tasks.table.outcome import Outcome
from descend.tasks.table.training import Fitted

MOST_COLUMNS = 20
MOST_POINTS = 2000


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


def _weights(outcome: Outcome) -> go.Figure:
    top = list(outcome.weights.items())[:MOST_COLUMNS]
    figure = go.Figure()
    figure.add_bar(x=[fall for _, fall in top], y=list(range(len(top))), orientation="h", marker={"color": COLOUR},
                   hovertemplate="%{y}: %{x:.4g}<extra></extra>")
    names = {"tickvals": list(range(len(top))), "ticktext": [shortened(name) for name, _ in top]}
    return figure.update_layout(template="plotly_white", height=120 + 24 * len(top), margin=MARGIN,
                                xaxis={"title": f"fall of {outcome.metric}", "rangemode": "tozero"},
                                yaxis={"autorange": "reversed", "automargin": True, **names})
