"""Figures of how a loss curves and looks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from descend._figures import CHECKED, COLOUR

if TYPE_CHECKING:
    from descend.insight.edge import Edge
    from descend.insight.interpolation import Interpolation
    from descend.insight.landscape import Landscape
    from descend.insight.norms import Norms
    from descend.insight.range_test import RangeTest
    from descend.insight.replay import Replay
    from descend.insight.sensitivity import Sensitivity
    from descend.insight.spectrum import Spectrum

BAND = "rgba(76, 120, 168, 0.25)"
POINTS = 400
COLOURS = qualitative.T10


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


def replayed(replay: "Replay") -> go.Figure:
    """The loss at the end of each draw, without the change and with it, joined by a line, and where all began."""
    figure = go.Figure()
    names = ["as it was", replay.words]
    for before, after in zip(replay.before, replay.after, strict=True):
        figure.add_scatter(x=names, y=[before, after], mode="lines+markers", line={"color": COLOUR, "width": 1},
                           showlegend=False)
    figure.add_hline(y=replay.start, line={"color": CHECKED, "dash": "dot"}, annotation_text="where both began")
    if min(replay.before.min(), replay.after.min(), replay.start) > 0:
        figure.update_yaxes(type="log", exponentformat="power")
    figure.update_yaxes(title=f"loss after {replay.steps:,} steps")
    return laid_out(figure, f"{len(replay.before)} draws of the data, {replay.words}")
def contours(seen: "Landscape") -> go.Figure:
    """The loss on a plane, by its logarithm where it goes over decades, and the path on it."""
    finite = seen.loss[np.isfinite(seen.loss)]
    is_log = len(finite) > 0 and finite.min() > 0 and finite.max() > 30 * finite.min()
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = np.where(np.isfinite(seen.loss), np.log10(seen.loss) if is_log else seen.loss, np.nan)
    bar = {"title": "log₁₀ of the loss" if is_log else "loss"}
    figure = go.Figure(go.Contour(x=seen.x, y=seen.y, z=heights, ncontours=30, colorscale="Viridis", colorbar=bar,
                                  contours={"coloring": "heatmap"}, line={"width": 0.5}, name="loss"))
    _path(figure, seen, seen.path[:, 1])
    for i, axis in enumerate((figure.update_xaxes, figure.update_yaxes)):
        axis(title=_axis(seen, i))
    return laid_out(figure, "Loss on a plane").update_layout(height=520)


def curve(seen: "Landscape") -> go.Figure:
    """The loss on a line, and the true losses of the path."""
    figure = go.Figure(go.Scatter(x=seen.x, y=seen.loss, mode="lines", name="loss on the line", line={"color": COLOUR}))
    _path(figure, seen, seen.path_loss)
    figure.update_xaxes(title=_axis(seen, 0))
    figure.update_yaxes(title="loss")
    return laid_out(figure, "Loss on a line")


def _path(figure: go.Figure, seen: "Landscape", y: np.ndarray) -> None:
    text = [f"step {step:,}, loss {loss:.4g}" for step, loss in zip(seen.steps, seen.path_loss, strict=True)]
    name = "descent, projected" if len(seen.steps) > 1 else f"after {seen.steps[-1]:,} steps"
    figure.add_scatter(x=seen.path[:, 0], y=y, mode="lines+markers", text=text, hoverinfo="text", name=name,
                       line={"color": CHECKED}, marker={"size": 6})


def _axis(seen: "Landscape", i: int) -> str:
    if seen.directions == "random":
        return f"random direction {i + 1}, in lengths of the weights"
    return f"principal direction {i + 1} ({seen.explained[i]:.0%} of the descent)"


def between(line: "Interpolation") -> go.Figure:
    """The loss between two solutions, and the straight line between its ends."""
    figure = go.Figure(go.Scatter(x=line.at, y=line.loss, mode="lines+markers", name="loss", line={"color": COLOUR}))
    figure.add_scatter(x=line.at[[0, -1]], y=line.loss[[0, -1]], mode="lines", name="without a barrier",
                       line={"color": CHECKED, "dash": "dash"})
    figure.update_xaxes(title="way from the first to the second")
    figure.update_yaxes(title="loss")
    return laid_out(figure, f"Barrier of {line.barrier:.3g}")


def over_rates(test: "RangeTest") -> go.Figure:
    """The loss of a range test over the rate."""
    figure = go.Figure(go.Scatter(x=test.rates, y=test.loss, mode="markers", name="loss", marker={"color": COLOUR}))
    figure.add_scatter(x=test.rates, y=test.smoothed, mode="lines", name="with its neighbours", line={"color": COLOUR})
    if np.isfinite(test.fastest):
        figure.add_vline(x=test.fastest, line={"color": CHECKED, "dash": "dash"},
                         annotation_text=f"falls fastest at {test.fastest:.2g}")
    figure.update_xaxes(title="learning rate", type="log", exponentformat="power")
    figure.update_yaxes(title="loss")
    return laid_out(figure, "Learning-rate range test")


def lengths(found: "Norms") -> go.Figure:
    """The length of each path's parameters, and how far they went."""
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06)
    for row, columns in ((1, found.length), (2, found.moved)):
        for i, (name, column) in enumerate(columns.items()):
            line = {"color": COLOURS[i % len(COLOURS)]}
            figure.add_scatter(x=found.steps, y=column, mode="lines+markers", name=name, legendgroup=name, line=line,
                               showlegend=row == 1, row=row, col=1)
    figure.update_yaxes(title="length", row=1, col=1)
    figure.update_yaxes(title="distance from the start", row=2, col=1)
    figure.update_xaxes(title="step", row=2, col=1)
    figure = laid_out(figure, "Parameters along the descent")
    return figure.update_layout(height=560, legend={"orientation": "v", "x": 1.02, "y": 1.0, "xanchor": "left"})


def sensitivities(found: "Sensitivity") -> go.Figure:
    """The gain of each change, with its interval, the largest at the top."""
    shown = list(found.replays)[::-1]
    gains = [replay.gain for replay in shown]
    figure = go.Figure()
    figure.add_scatter(
        x=gains, y=[replay.words for replay in shown], mode="markers", marker={"color": COLOUR},
        error_x={"array": [replay.interval[1] - replay.gain for replay in shown], "visible": True},
    )
    figure.add_vline(x=0, line={"color": CHECKED, "dash": "dot"})
    figure.update_xaxes(title="gain in log loss")
    return laid_out(figure, "What each setting matters")


def band(figure: go.Figure, x: Any, low: Any, high: Any) -> None:
    """What lies between two curves, filled."""
    around = np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
    figure.add_scatter(x=around[0], y=around[1], fill="toself", fillcolor=BAND, line={"width": 0}, hoverinfo="skip",
                       name="± 2 standard errors")


def laid_out(figure: go.Figure, title: str) -> go.Figure:
    """The figure with its title, in the style of all."""
    above = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"}
    figure.layout.template = "plotly_white"  # an update would go through all of the template that was there
    return figure.update_layout(title=title, legend=above, height=420)
