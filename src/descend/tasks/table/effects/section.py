"""The sections of a report on what columns do."""

from html import escape

import numpy as np
import plotly.graph_objects as go

from descend._figures import COLOUR
from descend.tasks.common.page import LEGEND, MARGIN, beside, figure_html, shortened
from descend.tasks.common.section import Section
from descend.tasks.common.target import Target
from descend.tasks.table.effects.axes import Axis
from descend.tasks.table.effects.interactions import Interaction
from descend.tasks.table.effects.looking import Effects

# Of single rows, and of classes.
SINGLE_LINES, CLASS_LINES = 25, 5
# Of all that two columns do, and of what is predicted, what is worth a word: less is mostly the sample's.
TELLING_SHARE = 0.05


def effect_sections(effects: Effects, target: Target, name: str) -> list[Section]:
    """What each column does, and which two of them act together; `name`: what the target is called."""
    if not effects.along:
        return []
    return [_alone(effects, target, name), *_together(effects, target, name)]


def _alone(effects: Effects, target: Target, name: str) -> Section:
    what = _predicted(target, name)
    lines = ("Each line is a class." if target.kind == "multiclass" else
             "Thin lines are single rows: where they run alike, a column does the same to all; where they cross, it "
             "depends on the others.")
    note = (f"What the model says of {what}, if a column had another value and all else were as it is: on average, "
            f"over held-out rows. All are on one scale. {lines} Marks are closer where there are more rows. It is what "
            "the model does, and not what would come of changing anything.")
    ends = _ends(list(effects.along.values()), target)
    figures = [_along(effects.axes[column], along, target, ends) for column, along in effects.along.items()]
    return Section("What the weightiest columns do", note, html=beside(*figures))


def _predicted(target: Target, name: str) -> str:
    return {"regression": name, "multiclass": "the probability of a class"}.get(
        target.kind, f"the probability of {target.classes[-1]}" if target.classes else name
    )


def _ends(along: list[np.ndarray], target: Target) -> list[float]:
    """Of the figures, which share them: all but the farthest of single rows."""
    if target.classes:
        return [-0.02, 1.02]
    low, high = np.quantile(np.concatenate([each.ravel() for each in along]), [0.02, 0.98])
    beyond = 0.05 * (high - low) or 1.0
    return [float(low - beyond), float(high + beyond)]


def _along(axis: Axis, along: np.ndarray, target: Target, ends: list[float]) -> go.Figure:
    figure = go.Figure()
    labels = axis.values if axis.is_ordered else [shortened(_level(value)) for value in axis.values]
    mode = "lines+markers" if axis.is_ordered else "markers+lines"
    if target.kind == "multiclass":
        means = along.mean(axis=1)
        # Those that the column moves most.
        moved = np.argsort(-np.ptp(means, axis=0), kind="stable")[:CLASS_LINES]
        for number in sorted(moved.tolist()):
            figure.add_scatter(x=labels, y=means[:, number], mode=mode, name=shortened(target.classes[number]),
                               marker={"size": 4})
    else:
        said = along[..., 1] if target.kind == "binary" else along
        single = said.T[:SINGLE_LINES]
        # One trace for all, with gaps between them: each trace costs a hundredth of a second.
        figure.add_scatter(x=[*labels, None] * len(single), y=[y for row in single for y in (*row.tolist(), None)],
                           mode="lines", line={"color": "#bbb", "width": 0.7}, hoverinfo="skip")
        figure.add_scatter(x=labels, y=said.mean(axis=1), mode=mode, line={"color": COLOUR, "width": 3},
                           marker={"size": 5})
    return figure.update_layout(height=300, margin=MARGIN, legend=LEGEND,
                                showlegend=target.kind == "multiclass",
                                xaxis={"title": shortened(axis.column)}, yaxis={"range": ends})


def _level(value: object) -> str:
    """A level's name; what is true or false was read as a number."""
    return {1.0: "true", 0.0: "false"}[value] if isinstance(value, float) else str(value)


def _together(effects: Effects, target: Target, name: str) -> list[Section]:
    telling = [pair for pair in effects.pairs if pair.share > TELLING_SHARE]
    if len(effects.pairs) == 0:
        return []
    if not telling:
        return [Section("Which columns act together", "None of the weightiest: what two of them do is the sum of what "
                        "each does.")]
    unit = f"in the unit of {name}" if target.kind == "regression" else "of the logarithm of the odds"
    first = telling[0]
    note = (f"How far the effect of two columns is from the sum of both, as a root mean square {unit}. The strongest "
            f"is that of {first.columns[0]} and {first.columns[1]}: {first.share:.0%} of what the two do. What one of "
            "them does then depends on the other.")
    joint = "" if effects.joint is None else _joint(effects, target, name)
    return [Section("Which columns act together", note, _strengths(telling), joint)]


def _strengths(pairs: list[Interaction]) -> go.Figure:
    figure, names = go.Figure(), [" × ".join(shortened(name) for name in pair.columns) for pair in pairs]
    figure.add_bar(x=[pair.strength for pair in pairs], y=list(range(len(pairs))), orientation="h",
                   marker={"color": COLOUR}, customdata=[pair.share for pair in pairs],
                   hovertemplate="%{x:.4g}, %{customdata:.0%} of what the two do<extra></extra>")
    ticks = {"tickvals": list(range(len(pairs))), "ticktext": names}
    return figure.update_layout(height=100 + 28 * len(pairs), margin=MARGIN,
                                xaxis={"title": "beyond the sum", "rangemode": "tozero"},
                                yaxis={"autorange": "reversed", "automargin": True, **ticks})


def _joint(effects: Effects, target: Target, name: str) -> str:
    """The partial dependence on the strongest pair, of classes that of the one that it moves most."""
    if effects.joint is None:
        return ""
    (one, other), said = effects.joint
    what = name
    if target.classes:
        number = 1 if target.kind == "binary" else int(np.ptp(said, axis=(0, 1)).argmax())
        said, what = said[..., number], f"the probability of {target.classes[number]}"
    across, up = effects.axes[one], effects.axes[other]
    of = lambda axis: axis.values if axis.is_ordered else [shortened(_level(value)) for value in axis.values]
    figure = go.Figure()
    figure.add_heatmap(x=of(across), y=of(up), z=said.T, colorscale="Viridis",
                       hovertemplate="%{x}, %{y}: %{z:.4g}<extra></extra>")
    figure.update_layout(height=380, margin=MARGIN,
                         xaxis={"title": shortened(one)}, yaxis={"title": shortened(other), "automargin": True})
    return (f"<p class=note>What the model says of {escape(what)}, on average, by {escape(one)} and {escape(other)}. "
            f"Where colours change along both, one does what the other allows.</p>{figure_html(figure)}")
