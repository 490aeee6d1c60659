"""Figures of how a loss curves and looks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from descend._figures import CHECKED, COLOUR

if TYPE_CHECKING:
    from descend.insight.edge import Edge
    from descend.insight.spectrum import Spectrum

BAND = "rgba(76, 120, 168, 0.25)"
POINTS = 400


def density(spectrum: "Spectrum") -> go.Figure:
    """The density of eigenvalues over the curvature, with twice its standard error."""
    lowest, highest = min(v[0] for v in spectrum.values), max(v[-1] for v in spectrum.values)
    at = np.linspace(lowest - 4 * spectrum.width, highest + 4 * spectrum.width, POINTS)
    mean, error = spectrum.density(at)
    # Of POINTS parameters one is 1 / POINTS of the density: what is far below one eigenvalue is no eigenvalue.
    floor = 1e-3 / (spectrum.size * spectrum.width)
    figure = go.Figure()
    if np.isfinite(error).all():
        band(figure, at, np.maximum(mean - 2 * error, floor), np.maximum(mean + 2 * error, floor))
    figure.add_scatter(x=at, y=np.maximum(mean, floor), mode="lines", name="density", line={"color": COLOUR})
    for end in (spectrum.smallest, spectrum.largest):
        figure.add_vline(x=end.value, line={"color": CHECKED, "dash": "dot"}, annotation_text=f"{end.value:.4g}")
    figure.update_yaxes(type="log", title="density of eigenvalues", exponentformat="power", dtick=1)
    figure.update_xaxes(title="curvature")
    return laid_out(figure, "Spectrum of the Hessian")


def edge_of_stability(edge: "Edge") -> go.Figure:
    """Rate × sharpness at each snapshot, and the rule's limit."""
    figure = go.Figure()
    errors = {"array": edge.rates * edge.residual, "visible": True}
    figure.add_scatter(x=edge.steps, y=edge.product, error_y=errors, mode="lines+markers", line={"color": COLOUR},
                       name="learning rate × sharpness")
    if edge.limit is not None:
        line = {"color": CHECKED, "dash": "dash"}
        figure.add_hline(y=edge.limit, line=line, annotation_text=f"limit {edge.limit:.4g}")
    figure.update_xaxes(title="step")
    figure.update_yaxes(title="learning rate × " + ("preconditioned " if edge.preconditioned else "") + "sharpness")
    return laid_out(figure, "Edge of stability")


def band(figure: go.Figure, x: Any, low: Any, high: Any) -> None:
    """What lies between two curves, filled."""
    around = np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
    figure.add_scatter(x=around[0], y=around[1], fill="toself", fillcolor=BAND, line={"width": 0}, hoverinfo="skip",
                       name="± 2 standard errors")


def laid_out(figure: go.Figure, title: str) -> go.Figure:
    """The figure with its title, in the style of all."""
    above = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"}
    return figure.update_layout(title=title, template="plotly_white", legend=above, height=420)
