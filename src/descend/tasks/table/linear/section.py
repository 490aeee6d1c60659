"""The part of a report that is about the linear model: its certificate, its penalty, and its coefficients."""

import math
from html import escape

import numpy as np
import plotly.graph_objects as go

from descend._figures import CHECKED, COLOUR
from descend.tasks.common.page import MARGIN, figure_html
from descend.tasks.common.section import Section
from descend.tasks.table.linear.coefficients import Coefficient
from descend.tasks.table.linear.model import Linear, PenaltyPath
from descend.tasks.table.preparing import TablePrepared

SHOWN_COEFFICIENTS = 30
# Effects on the logarithm of the odds beyond this are written as powers of ten.
PLAIN_LOGARITHM = 20.0


def section_of(
    linear: Linear, prepared: TablePrepared, found: list[Coefficient], target: str, is_chosen: bool
) -> Section:
    """The certificate in a line, the path of penalties, and the coefficients that matter most."""
    path = linear.path
    beside = "" if is_chosen else "<p>It was not chosen, and stands here beside the model that was.</p>"
    rows = "".join(map(_row, found[:SHOWN_COEFFICIENTS]))
    label = "<th>class" if prepared.target.classes else ""
    return Section("The linear model", html=f"""{beside}
<p class=certificate>{escape(str(linear.certificate))}.</p>
<p class=note>{escape(_choice(path, prepared))}</p>
{figure_html(path_figure(path))}
<h3>Coefficients</h3>
<p class=note>{escape(_meaning(prepared, target))} Sorted by how much they make predictions vary over the rows. {
    _shown(len(found))}</p>
<table class=coefficients><tr><th>feature{label}<th>effect<th>per<th>standard deviation of the effect</tr>{rows}</table>
""")


def path_figure(path: PenaltyPath) -> go.Figure:
    """The loss on rows not trained on, by penalty; the one that was chosen is marked."""
    figure = go.Figure()
    figure.add_scatter(x=path.penalties, y=path.losses, mode="lines+markers", name="tried",
                       line={"color": COLOUR, "width": 1.5}, error_y={"array": path.errors, "width": 3, "thickness": 1})
    figure.add_scatter(x=[path.penalty], y=[path.losses[path.chosen]], mode="markers", name="chosen",
                       marker={"color": CHECKED, "size": 12, "symbol": "circle-open", "line": {"width": 3}})
    ticks = {"type": "log", "exponentformat": "power"}
    above = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"}
    return figure.update_layout(height=260, margin=MARGIN, legend=above,
                                xaxis={"title": "penalty", "dtick": 1, **ticks},
                                yaxis={"title": "loss", **(ticks if _spans_a_decade(path.losses) else {})})


def _spans_a_decade(losses: tuple[float, ...]) -> bool:
    return min(losses) > 0 and max(losses) / min(losses) > 10


def _choice(path: PenaltyPath, prepared: TablePrepared) -> str:
    """How the penalty was chosen."""
    among = f"{len(path.penalties)} penalties" if len(path.penalties) > 1 else "one penalty"
    return (f"The penalty is {path.penalty:.3g}: of {among} on the coefficients of the scaled features, the one "
            f"with the least loss on rows not trained on, {prepared.validated_on}.")


def _meaning(prepared: TablePrepared, target: str) -> str:
    """What an effect is."""
    classes = prepared.target.classes
    if not classes:
        return f"An effect is a change of {target}, in its own unit, all else being equal."
    if len(classes) == 2:
        return f"An effect is a factor on the odds of {classes[1]} against {classes[0]}, all else being equal."
    return "An effect is a factor on a class's odds, against the geometric mean of all classes, all else being equal."


def _shown(count: int) -> str:
    more = f"These are the first {SHOWN_COEFFICIENTS} of {count:,}. " if count > SHOWN_COEFFICIENTS else ""
    return f"{more}All are in coefficients.csv, beside this page."


def _row(one: Coefficient) -> str:
    label = f"<td>{escape(one.label)}" if one.label else ""
    return (f"<tr><td>{escape(one.feature.name)}{label}<td>{effect_text(one)}<td class=note>{escape(one.per)}"
            f"<td>{one.importance:.3g}</tr>")


def effect_text(one: Coefficient) -> str:
    """A change of a number with its sign, or a factor."""
    if not one.label:
        return f"{one.effect:+.4g}"
    if abs(one.effect) < PLAIN_LOGARITHM:
        return f"× {one.factor:.4g}"
    return f"× 10<sup>{np.round(one.effect / math.log(10)):.0f}</sup>"
