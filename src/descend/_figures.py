"""Figures of a training."""

from typing import TYPE_CHECKING

import numpy as np
from plotly.subplots import make_subplots

from descend.history import History
from descend.stopping import Reason

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_POINTS = 2000
PANELS = {"loss": "loss", "gradient_norm": "gradient norm", "learning_rate": "learning rate"}


def training_curves(history: History, reason: Reason) -> "go.Figure":
    """Loss, gradient norm and learning rate over the steps; the validation loss beside the loss."""
    columns = {name: column for name, column in history.columns.items() if name in PANELS}
    figure = make_subplots(rows=len(columns), shared_xaxes=True, vertical_spacing=0.04)
    chosen = _evenly(len(history))
    step = history["step"][chosen]
    for row, (name, column) in enumerate(columns.items(), start=1):
        figure.add_scattergl(x=step, y=column[chosen], name=PANELS[name], mode="lines", row=row, col=1)
        positive = bool((column[np.isfinite(column)] > 0).all())
        figure.update_yaxes(title=PANELS[name], type="log" if positive else "linear", row=row, col=1)
    if history.evaluations:
        checks = history.validation
        figure.add_scattergl(x=checks["step"], y=checks["loss"], name="validation loss", mode="lines", row=1, col=1)
    figure.update_xaxes(title="step", row=len(columns), col=1)
    figure.update_layout(title=str(reason), template="plotly_white", height=250 * len(columns) + 100)
    return figure


def _evenly(rows: int) -> np.ndarray:
    """The numbers of rows to draw: all, or evenly chosen ones if nobody could tell them apart."""
    return np.unique(np.linspace(0, rows - 1, min(rows, MOST_POINTS)).astype(int))
