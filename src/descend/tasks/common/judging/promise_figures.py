"""The figures of what intervals, or sets of classes, promise and keep."""

import numpy as np
import plotly.graph_objects as go

from descend._figures import CHECKED, COLOUR
from descend.tasks.common.page import MARGIN

SHADE = "rgba(136,136,136,.2)"


def kept_figure(levels: list[float], kept: list[float], count: int) -> go.Figure:
    """The share that was held, by the level that was promised; `count`: of how many examples."""
    figure, every = go.Figure(), np.linspace(min(levels), max(levels), 50)
    chance = 2 * np.sqrt(every * (1 - every) / count)
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(x=every, y=np.maximum(every - chance, 0), **band)
    figure.add_scatter(x=every, y=np.minimum(every + chance, 1), fill="tonexty", fillcolor=SHADE, **band)
    figure.add_scatter(x=every, y=every, mode="lines", line={"dash": "dot", "color": "#888"}, hoverinfo="skip")
    figure.add_scatter(x=levels, y=kept, mode="lines+markers", line={"color": CHECKED, "width": 1.5})
    return figure.update_layout(height=320, margin=MARGIN, showlegend=False,
                                xaxis={"title": "promised", "tickformat": ".0%"},
                                yaxis={"title": "held", "tickformat": ".0%"})


def width_figure(levels: list[float], widths: list[float], of_sets: bool) -> go.Figure:
    """How wide intervals, or how large sets are, by level."""
    figure = go.Figure()
    figure.add_scatter(x=levels, y=widths, mode="lines+markers", line={"color": COLOUR, "width": 1.5})
    title = "classes in a set, on average" if of_sets else "width, by the median"
    return figure.update_layout(height=320, margin=MARGIN,
                                xaxis={"title": "promised", "tickformat": ".0%"},
                                yaxis={"title": title, "rangemode": "tozero"})
