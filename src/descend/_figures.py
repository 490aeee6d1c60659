"""Figures of a training."""

from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.subplots import make_subplots

from descend.engine.history import History
from descend.stopping import Reason

if TYPE_CHECKING:
    import plotly.graph_objects as go

MAX_POINTS = 2000
PANELS = {"loss": "loss", "duality_gap": "duality gap", "gradient_norm": "gradient norm",
          "learning_rate": "learning rate"}
COLOUR, CHECKED = "#4c78a8", "#f58518"


def training_curves(history: History, reason: Reason) -> "go.Figure":
    """Loss, gradient norm, learning rate and the validation's scores over the steps; its loss beside the loss."""
    columns = {name: column for name, column in history.columns.items() if name in PANELS}
    checks = history.validation
    scores = [name for name in checks if name not in ("step", "loss")]
    # At least one, because nothing was recorded of what ended before its first step.
    rows = max(len(columns) + len(scores), 1)
    figure = make_subplots(rows=rows, shared_xaxes=True, vertical_spacing=0.12 / rows)
    chosen = _evenly(len(history))
    step = history["step"][chosen]

    def draw(row: int, name: str, x: Any, y: Any, colour: str) -> None:
        line = {"color": colour, "width": 1.5}
        figure.add_scatter(x=x, y=y, name=name, mode="lines", line=line, showlegend=row == 1, row=row, col=1)

    for row, (name, column) in enumerate(columns.items(), start=1):
        draw(row, PANELS[name], step, column[chosen], COLOUR)
        figure.update_yaxes(title=PANELS[name], row=row, col=1)
        finite = column[np.isfinite(column)]
        if name != "learning_rate" and len(finite) and finite.min() > 0:
            decades = np.log10(finite.max()) - np.log10(finite.min())
            # Within two decades, ticks at whole ones would hardly be any.
            ticks = {"dtick": 1, "exponentformat": "power"} if decades > 2 else {}
            # Losses and norms fall by orders of magnitude: on a linear axis all but the first steps would be one line.
            figure.update_yaxes(type="log", minor={"ticks": "outside"}, **ticks, row=row, col=1)
    if checks:
        draw(1, "validation loss", checks["step"], checks["loss"], CHECKED)
    for row, name in enumerate(scores, start=len(columns) + 1):
        draw(row, f"validation {name}", checks["step"], checks[name], CHECKED)
        figure.update_yaxes(title=f"validation {name}", row=row, col=1)
    figure.update_xaxes(title="step", row=rows, col=1)
    above = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"}
    figure.layout.template = "plotly_white"
    return figure.update_layout(title=str(reason), height=220 * rows + 80, legend=above)


def _evenly(rows: int) -> np.ndarray:
    """The numbers of rows to draw: all, or evenly chosen ones if nobody could tell them apart."""
    return np.unique(np.linspace(0, rows - 1, min(rows, MAX_POINTS)).astype(int))
