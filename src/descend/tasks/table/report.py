"""The sections of a report on a table: curves, predictions, the weightiest columns, what columns were taken for."""

from collections.abc import Mapping
from html import escape

import plotly.graph_objects as go

from descend._figures import COLOUR, training_curves
from descend.tasks.common.fitted import Fitted
from descend.tasks.common.judging.classes import class_sections
from descend.tasks.common.judging.numbers import number_sections
from descend.tasks.common.judging.promised import promise_section
from descend.tasks.common.page import MARGIN, shortened
from descend.tasks.common.section import Section
from descend.tasks.table.effects.section import effect_sections
from descend.tasks.table.importance import Importance
from descend.tasks.table.learning_section import learning_section
from descend.tasks.table.outcome import TableOutcome, model_of
from descend.tasks.table.preparing import TablePrepared

SHOWN_COLUMNS = 20


def sections(fitted: Fitted[TablePrepared], outcome: TableOutcome, target: str) -> list[Section]:
    """All of them; `target`: the name of the column that is predicted."""
    chosen, prepared = fitted.chosen, fitted.prepared
    curves = training_curves(chosen.history, chosen.reason).update_layout(title=None, margin=MARGIN)
    weighed, used = len(outcome.importances), len(prepared.encoder.used)
    some = f" Of {used:,} columns, these are of the {weighed:,} that go most with the predictions." * (weighed < used)
    suspicious = "".join(f"<p>{escape(sentence)}.</p>" for sentence in outcome.suspicious)
    return [
        *([Section("Too good to be true?", html=suspicious)] if suspicious else []),
        *_of_predictions(fitted, outcome),
        Section("The weightiest columns", f"By how much the {outcome.metric} falls when a column's values are shuffled "
                "among the held-out rows; bars are two standard errors, over these rows. Of columns that tell the "
                f"same, each weighs little.{some}", _weights(outcome.importances, outcome.metric)),
        *effect_sections(outcome.effects, prepared.target, target),
        *([learning_section(outcome.curve, outcome.metric)] if outcome.curve else []),
        Section("How the training went", f"Stopped by {fitted.reason}.", curves),
        *[found.section for found in outcome.findings.values() if found.section is not None],
        Section("What the columns were taken for", f"The target, {target}, was taken for {prepared.target.kind}: "
                f"{prepared.target.reason}.", html=_columns(prepared)),
    ]


def _of_predictions(fitted: Fitted[TablePrepared], outcome: TableOutcome) -> list[Section]:
    """What the predictions of held-out rows are like, and what is promised of others."""
    target = fitted.prepared.target
    if target.classes:
        found = class_sections(outcome, target, "rows", outcome.uncalibrated, fitted.calibration)
    else:
        found = number_sections(outcome, "rows")
    return [*found, *promise_section(model_of(fitted).conformal, outcome, target)]


def _columns(prepared: TablePrepared) -> str:
    rows = (
        f"<tr><td>{escape(column.name)}<td>{column.kind}<td class=note>{escape(column.reason)}"
        for column in prepared.encoder.columns
    )
    return f"<table>{''.join(rows)}</table>"


def _weights(importances: Mapping[str, Importance], metric: str) -> go.Figure:
    top = list(importances.items())[:SHOWN_COLUMNS]
    figure = go.Figure()
    errors = {"array": [2 * weight.error for _, weight in top], "width": 3, "thickness": 1, "color": "#333"}
    figure.add_bar(x=[weight.fall for _, weight in top], y=list(range(len(top))), orientation="h", error_x=errors,
                   marker={"color": COLOUR}, hovertemplate="%{x:.4g}<extra></extra>")
    named = {"tickvals": list(range(len(top))), "ticktext": [shortened(name) for name, _ in top]}
    return figure.update_layout(height=120 + 24 * len(top), margin=MARGIN,
                                xaxis={"title": f"fall of {metric}", "rangemode": "tozero"},
                                yaxis={"autorange": "reversed", "automargin": True, **named})
