"""The sections of a report on predicted numbers: predicted against true ones, and what is left over."""

import numpy as np
import plotly.graph_objects as go

from descend._figures import CHECKED, COLOUR
from descend.tasks.common.fitted import Outcome
from descend.tasks.common.page import LEGEND, MARGIN, beside
from descend.tasks.common.section import Section

# Points of a figure: more are one blot, and make the page slow.
MAX_DOTS = 2000
# Of the histogram.
BINS = 40
# Groups of predictions, and the least of each, whose typical error is drawn.
GROUPS, LEAST_OF_A_GROUP = 12, 20


def number_sections(outcome: Outcome, unit: str) -> list[Section]:
    """What there is to see of predicted numbers; `unit`: what examples are called, in the plural."""
    truth, residuals = outcome.truth, outcome.truth - outcome.predictions
    half, most = np.quantile(np.abs(residuals), [0.5, 0.9])
    errors = f"Half of them are off by at most {half:,.4g}, nine in ten by at most {most:,.4g}."
    return [
        Section(f"Predictions on held-out {unit}", f"The nearer to the dotted line, the better. {errors}",
                _against_truth(truth, outcome.predictions)),
        Section("What is left over", "True minus predicted. Left: where the orange line, the mean of groups, leaves 0, "
                "predictions are too low (above) or too high (below); where the points fan out, large predictions are "
                f"less sure. Right: how often. {_skewed(residuals)}",
                html=beside(_by_prediction(outcome.predictions, residuals), _histogram(residuals))),
    ]  # fmt: skip


def _some(count: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(count)[:MAX_DOTS]


def _against_truth(truth: np.ndarray, predictions: np.ndarray) -> go.Figure:
    figure, some = go.Figure(), _some(len(truth))
    ends = [float(truth.min()), float(truth.max())]
    figure.add_scatter(x=predictions[some], y=truth[some], mode="markers", name="held-out rows",
                       marker={"size": 5, "opacity": 0.5, "color": COLOUR})
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"dash": "dot", "color": "#888"}, name="exact")
    figure.update_layout(xaxis_title="predicted", yaxis_title="true")
    return figure.update_layout(height=480, margin=MARGIN, legend=LEGEND)


def _by_prediction(predictions: np.ndarray, residuals: np.ndarray) -> go.Figure:
    figure, some = go.Figure(), _some(len(residuals))
    figure.add_scatter(x=predictions[some], y=residuals[some], mode="markers",
                       marker={"size": 4, "opacity": 0.4, "color": COLOUR})
    order = np.argsort(predictions, kind="stable")
    groups = np.array_split(order, max(min(GROUPS, len(order) // LEAST_OF_A_GROUP), 1))
    means = np.array([residuals[group].mean() for group in groups])
    errors = np.array([2 * residuals[group].std() / np.sqrt(len(group)) for group in groups])
    figure.add_scatter(x=[predictions[group].mean() for group in groups], y=means, mode="lines+markers",
                       line={"color": CHECKED}, error_y={"array": errors, "width": 3, "thickness": 1})
    figure.add_hline(y=0, line={"dash": "dot", "color": "#888"})
    return figure.update_layout(height=340, margin=MARGIN, showlegend=False,
                                xaxis_title="predicted", yaxis_title="true − predicted")


def _histogram(residuals: np.ndarray) -> go.Figure:
    """Of all but the farthest, which would leave the others one bar."""
    low, high = np.quantile(residuals, [0.005, 0.995])
    counts, edges = np.histogram(np.clip(residuals, low, high), BINS)
    figure = go.Figure()
    figure.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=counts, marker={"color": COLOUR},
                   hovertemplate="%{y} near %{x:.4g}<extra></extra>")
    return figure.update_layout(height=340, margin=MARGIN, bargap=0.05,
                                xaxis_title="true − predicted", yaxis_title="rows")


def _skewed(residuals: np.ndarray) -> str:
    """Which way the large errors go, if they go one way."""
    far = np.quantile(np.abs(residuals), 0.95)
    above, below = int(np.sum(residuals > far)), int(np.sum(residuals < -far))
    if max(above, below) < 10 or max(above, below) < 3 * min(above, below):
        return ""
    way = "too low" if above > below else "too high"
    return f"Of the {above + below:,} largest errors, {max(above, below):,} are predictions that were {way}."
