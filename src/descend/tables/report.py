"""The report of a training: one HTML file that needs no network."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from descend._figures import training_curves
from descend.tables.outcome import Outcome
from descend.tables.training import Fitted, Settings

MOST_COLUMNS = 20
MOST_POINTS = 2000
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } .score { font-size: 2.2rem; font-weight: 600 } .note { color: #666 }
table { border-collapse: collapse } td, th { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #eee }
"""


def render(fitted: Fitted, outcome: Outcome, metrics: dict[str, Any], settings: Settings, name: str) -> str:
    """The report as a page: score, curves, the weightiest columns, what the columns were taken for."""
    result = fitted.chosen.result
    task = fitted.prepared.task
    figures = [
        ("How the training went", str(result.reason), training_curves(result.history, result.reason)),
        ("Predictions on held-out rows", "", _predictions(fitted)),
        ("The weightiest columns", f"By how much the {outcome.metric} falls when a column's values are shuffled among "
         "the held-out rows.", _weights(outcome)),
    ]
    body = "".join(
        f"<h2>{title}</h2><p class=note>{escape(note)}</p>"
        + figure.to_html(full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False})
        for number, (title, note, figure) in enumerate(figures)
    )
    columns = "".join(
        f"<tr><td>{escape(column.name)}<td>{column.kind}<td class=note>{escape(column.reason)}"
        for column in fitted.prepared.encoder.columns
    )
    facts = "".join(f"<tr><th>{escape(key)}<td>{escape(_plain(value))}" for key, value in metrics.items())
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><title>{escape(settings.target)} from {escape(name)}</title><style>{STYLE}</style>
<h1>{escape(settings.target)} from {escape(name)}</h1>
<p class=score>{outcome.metric} {outcome.score:.4f}</p>
<p>on {metrics["held_out"]:,} rows that were held out; the plainest guess has {outcome.baseline:.4f}.</p>
<p>{escape(fitted.why[0].upper() + fitted.why[1:])}.</p>
{body}
<h2>What the columns were taken for</h2>
<p class=note>The target {escape(settings.target)} was taken for {task.kind}: {escape(task.reason)}.</p>
<table>{columns}</table>
<h2>All of it</h2><table>{facts}</table>
</html>
"""


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _predictions(fitted: Fitted) -> go.Figure:
    """Predicted against true values, or the confusion of classes."""
    from sklearn.metrics import confusion_matrix  # noqa: PLC0415  # a second to import

    prepared, task = fitted.prepared, fitted.prepared.task
    values = fitted.model.predict(prepared.held_out_rows)
    truth = task.encode(prepared.held_out_target)
    figure = go.Figure()
    if task.kind == "regression":
        chosen = np.random.default_rng(0).permutation(len(truth))[:MOST_POINTS]
        ends = [float(truth.min()), float(truth.max())]
        figure.add_scattergl(x=truth[chosen], y=values[chosen], mode="markers", marker={"size": 4, "opacity": 0.5},
                             name="held-out rows")
        figure.add_scatter(x=ends, y=ends, mode="lines", line={"dash": "dot", "color": "#888"}, name="exact")
        figure.update_layout(xaxis_title="true", yaxis_title="predicted")
    else:
        counts = confusion_matrix(truth, values.argmax(axis=1), labels=range(len(task.classes)))
        figure.add_heatmap(z=counts, x=task.classes, y=task.classes, text=counts, texttemplate="%{text}",
                           colorscale="Blues", showscale=False)
        figure.update_layout(xaxis={"title": "predicted", "type": "category"},
                             yaxis={"title": "true", "type": "category", "autorange": "reversed"})
    return figure.update_layout(template="plotly_white", height=480)


def _weights(outcome: Outcome) -> go.Figure:
    top = pd.Series(outcome.weights).head(MOST_COLUMNS)[::-1]
    figure = go.Figure(go.Bar(x=top.to_numpy(), y=[str(name) for name in top.index], orientation="h"))
    figure.update_layout(template="plotly_white", height=120 + 24 * len(top), xaxis_title=f"fall of {outcome.metric}",
                         yaxis_type="category")
    return figure
