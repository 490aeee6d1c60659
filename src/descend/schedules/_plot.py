"""The figure of a schedule."""

from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from descend.errors import InputError

MAX_POINTS = 5000
# So many steps are drawn of a schedule without a length.
UNKNOWN_LENGTH = 1000
# On a linear axis, nothing is to be seen of a thousandth.
DECADES = 3


def figure(schedule: Any, steps: int | None) -> go.Figure:
    """The rate at every step, or at evenly chosen ones of very many, with the step after the last."""
    if steps is not None and steps < 1:
        raise InputError(f"plot: steps must be at least 1, but is {steps}")
    whole = schedule.over(steps)
    end = steps or whole.length or UNKNOWN_LENGTH
    # Whole steps, of which no two are drawn at one place.
    at = np.unique(np.linspace(0, end, min(end + 1, MAX_POINTS)).astype(int))
    rates = np.array([float(whole(int(step))) for step in at])
    drawn = go.Figure(go.Scatter(x=at, y=rates, mode="lines", line={"color": "#4c78a8", "width": 1.5}))
    drawn.update_layout(title={"text": escape(repr(whole), quote=False), "font": {"size": 13}}, template="plotly_white")
    drawn.update_xaxes(title="step").update_yaxes(title="learning_rate", rangemode="tozero")
    if rates.min() > 0 and rates.max() > 10**DECADES * rates.min():
        drawn.update_yaxes(type="log", exponentformat="power")
    return drawn
