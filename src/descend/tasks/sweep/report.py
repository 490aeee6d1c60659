"""The page of a sweep: its table, what each setting did, and how trials learnt."""

import math
from html import escape
from typing import TYPE_CHECKING, Any

from descend.tasks.common.page import MARGIN, figure_html, page
from descend.tasks.common.section import Section
from descend.tasks.sweep.axes import Axis
from descend.tasks.sweep.sweeping import Sweep
from descend.tasks.sweep.told import honest_words, trial_rows
from descend.tasks.sweep.trial import Trial

if TYPE_CHECKING:
    import plotly.graph_objects as go

# From such a ratio of the largest to the smallest on, an axis is logarithmic.
LOG_RATIO = 8
# Values that are named along an axis, and not measured.
FEW_VALUES = 4
# Curves in one figure: more hide each other.
MAX_CURVES = 40
SCALE = "Viridis"


def sweep_page(sweep: Sweep, facts: dict[str, Any]) -> str:
    """The report; `facts`: of the winner, as its `metrics.json` has them."""
    best = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sweep.winner.varied.items())
    lines = [f"<p class=score>{escape(best)}</p>", *(f"<p>{escape(line)}</p>" for line in honest_words(sweep, facts))]
    over = ", ".join(axis.name.replace("_", " ") for axis in sweep.axes)
    told = {name: facts[name] for name in ("task", "target", "model", "metric", "score", "baseline", "held_out")}
    return page(f"{facts['target']} from {sweep.task.name}, over {over}", lines,
                [_effects(sweep), *_together(sweep), *_curves(sweep), _table(sweep)], told)


def _table(sweep: Sweep) -> Section:
    rows = trial_rows(sweep)
    head = "".join(f"<th>{escape(name.replace('_', ' '))}" for name in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell(value))}' for value in row.values())}" for row in rows)
    return Section("All trials", html=f"<table><tr>{head}{body}</table>")


def cell(value: Any) -> str:
    """A cell in words."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _effects(sweep: Sweep) -> Section:
    """The loss over the values of each setting: a figure for each."""
    axes = [axis for axis in sweep.axes if len(axis.values) > 1] or list(sweep.axes)
    first, *others = (_effect(sweep, axis) for axis in axes)
    return Section("What each setting does", "A point is a trial: its loss on the rows that are validated on, when it "
                   "ended or was stopped. The lighter, the more of its training it made.", first,
                   "".join(map(figure_html, others)))


def _effect(sweep: Sweep, axis: Axis) -> "go.Figure":
    import plotly.graph_objects as go

    trials = [trial for trial in sweep.ranking if math.isfinite(trial.last.loss)]
    losses = [trial.last.loss for trial in trials]
    figure = go.Figure(layout={"height": 340, "margin": MARGIN})
    kind = _type_of(axis)
    values = [trial.varied[axis.name] for trial in trials]
    marker = {"color": [trial.last.share for trial in trials], "colorscale": SCALE, "cmin": 0, "cmax": 1, "size": 9}
    figure.add_scatter(x=list(map(str, values)) if kind == "category" else values, y=losses, mode="markers",
                       marker=marker, text=[escape(trial.name) for trial in trials],
                       hovertemplate="%{text}<br>%{y:.4g}<extra></extra>")
    names = {"categoryorder": "array", "categoryarray": list(map(str, axis.values))} if kind == "category" else {}
    figure.update_xaxes(title=axis.name.replace("_", " "), type=kind, **names)
    is_wide = bool(losses) and min(losses) > 0 and max(losses) > LOG_RATIO * min(losses)
    figure.update_yaxes(title=sweep.judge.what, type="log" if is_wide else "linear")
    return figure


def _type_of(axis: Axis) -> str:
    if isinstance(axis.values[0], str) or len(axis.values) <= FEW_VALUES:
        return "category"
    return "log" if min(axis.values) > 0 and max(axis.values) > LOG_RATIO * min(axis.values) else "linear"


def _together(sweep: Sweep) -> list[Section]:
    """Of several settings, a line for each trial through its values and its loss."""
    import plotly.graph_objects as go

    axes = [axis for axis in sweep.axes if len(axis.values) > 1]
    trials = [trial for trial in sweep.ranking if math.isfinite(trial.last.loss)]
    if len(axes) < 2 or not trials:
        return []
    losses = [trial.last.loss for trial in trials]
    lines = go.Parcoords(line={"color": losses, "colorscale": SCALE, "reversescale": True},
                         dimensions=[*(_dimension(axis, trials) for axis in axes),
                                     {"label": sweep.judge.what, "values": losses}])
    figure = go.Figure(lines, {"height": 420, "margin": {"t": 60, "l": 80, "r": 60, "b": 20}})
    return [Section("All settings at once", "A line is a trial. Drag along an axis to see those alone that pass there.",
                    figure)]


def _dimension(axis: Axis, trials: list[Trial]) -> dict[str, Any]:
    """Values in their order, as they may be far apart, or words."""
    places = {value: place for place, value in enumerate(axis.values)}
    return {"label": axis.name.replace("_", " "), "values": [places[trial.varied[axis.name]] for trial in trials],
            "tickvals": list(places.values()),
            "ticktext": [f"{value:.3g}" if isinstance(value, float) else str(value) for value in axis.values]}


def _curves(sweep: Sweep) -> list[Section]:
    """The validation loss of the best over the steps."""
    import plotly.graph_objects as go

    figure, count = go.Figure(), 0
    for trial in reversed(sweep.ranking[:MAX_CURVES]):
        checks = trial.validations()
        if len(checks) > 1:
            count += 1
            is_best = trial is sweep.winner
            figure.add_scatter(x=checks[:, 0], y=checks[:, 1], mode="lines", name=escape(trial.name),
                               line={"color": "#d62728" if is_best else "#9ab", "width": 3 if is_best else 1})
    if not count:
        return []
    figure.update_layout(height=380, margin=MARGIN, showlegend=False, xaxis_title="step",
                         yaxis={"title": "validation loss", "type": "log"})
    others = "" if count == len(sweep.ranking) else f" Shown are {count} of {len(sweep.ranking)}."
    return [Section("How they learnt", f"The validation loss of the networks, the winner's in red.{others}", figure)]
