"""The sections of a report on a table: curves, predictions, the weightiest columns, what columns were taken for."""

from collections.abc import Mapping
from html import escape

import plotly.graph_objects as go

from descend._figures import COLOUR, training_curves
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.judging.classes import class_sections
from descend.tasks.common.judging.numbers import number_sections
from descend.tasks.common.page import MARGIN, shortened
from descend.tasks.common.section import Section
from descend.tasks.table.candidate import Findings
from descend.tasks.table.preparing import TablePrepared

SHOWN_COLUMNS = 20


def sections(
    fitted: Fitted[TablePrepared],
    outcome: Outcome,
    importances: Mapping[str, float],
    findings: Mapping[str, Findings],
    target: str,
) -> list[Section]:
    """All of them; `target`: the name of the column that is predicted."""
    chosen, prepared = fitted.chosen, fitted.prepared
    curves = training_curves(chosen.history, chosen.reason).update_layout(title=None, margin=MARGIN)
    return [
        *(class_sections(outcome, prepared.target, "rows") if prepared.target.classes else
          number_sections(outcome, "rows")),
        Section("The weightiest columns", f"By how much the {outcome.metric} falls when a column's values are shuffled "
                "among the held-out rows.", _weights(importances, outcome.metric)),
        Section("How the training went", f"Stopped by {fitted.reason}.", curves),
        *[found.section for found in findings.values() if found.section is not None],
        Section("What the columns were taken for", f"The target, {target}, was taken for {prepared.target.kind}: "
                f"{prepared.target.reason}.", html=_columns(prepared)),
    ]


def _columns(prepared: TablePrepared) -> str:
    rows = (
        f"<tr><td>{escape(column.name)}<td>{column.kind}<td class=note>{escape(column.reason)}"
        for column in prepared.encoder.columns
    )
    return f"<table>{''.join(rows)}</table>"


def _weights(importances: Mapping[str, float], metric: str) -> go.Figure:
    top = list(importances.items())[:SHOWN_COLUMNS]
    figure = go.Figure()
    figure.add_bar(x=[fall for _, fall in top], y=list(range(len(top))), orientation="h", marker={"color": COLOUR},
                   hovertemplate="%{y}: %{x:.4g}<extra></extra>")
    named = {"tickvals": list(range(len(top))), "ticktext": [shortened(name) for name, _ in top]}
    return figure.update_layout(template="plotly_white", height=120 + 24 * len(top), margin=MARGIN,
                                xaxis={"title": f"fall of {metric}", "rangemode": "tozero"},
                                yaxis={"autorange": "reversed", "automargin": True, **named})
