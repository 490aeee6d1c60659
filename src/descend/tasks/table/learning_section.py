"""The section of a report on what more rows would bring."""

import plotly.graph_objects as go

from descend._figures import COLOUR
from descend.tasks.common.page import MARGIN
from descend.tasks.common.section import Section
from descend.tasks.table.learning import LearningCurve

# Standard errors beyond which a gain is one.
SURE_GAIN = 2.0


def learning_section(curve: LearningCurve, metric: str) -> Section:
    """The curve, and what its last doubling brought."""
    figure = go.Figure()
    bars = {"array": [2 * error for error in curve.errors], "width": 3, "thickness": 1}
    figure.add_scatter(x=list(curve.rows), y=list(curve.scores), mode="lines+markers", error_y=bars,
                       line={"color": COLOUR, "width": 1.5})
    ticks = {"tickvals": list(curve.rows), "ticktext": [f"{rows:,}" for rows in curve.rows]}
    figure.update_layout(height=320, margin=MARGIN, yaxis={"title": metric},
                         xaxis={"title": "rows that were learnt from", "type": "log", **ticks})
    return Section("Would more rows help?", _note(curve, metric), figure)


def _note(curve: LearningCurve, metric: str) -> str:
    change = "rose" if curve.gain >= 0 else "fell"
    told = (f"With twice the rows, {curve.rows[-2]:,} and then {curve.rows[-1]:,}, the {metric} of the linear model "
            f"{change} by {abs(curve.gain):.4f}, give or take {curve.gain_error:.4f}")
    more = ("it would go on learning from more" if curve.gain > SURE_GAIN * curve.gain_error else
            "more of them would hardly better it")
    return (f"{told}: {more}. The curve is the linear model's, as that takes little time. A network may go on learning "
            "where this one has come to its end. Bars are two standard errors, over the held-out rows.")
