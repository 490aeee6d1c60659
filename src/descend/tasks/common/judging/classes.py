"""The sections of a report on predicted classes: what was taken for what, how well it ranks, and its probabilities."""

from html import escape

import numpy as np
import plotly.graph_objects as go

from descend._figures import CHECKED, COLOUR
from descend.tasks.common.fitted import Outcome
from descend.tasks.common.judging.scores import ClassScore, as_probabilities, scores_by_class
from descend.tasks.common.page import LEGEND, MARGIN, beside, shortened
from descend.tasks.common.section import Section
from descend.tasks.common.target import Target

# Classes whose counts can be written into the fields of a figure, or that a table names.
LABELLED_CELLS = 20
# Classes that have a curve each.
CURVES = 6
# Of a curve: more cannot be told apart.
CURVE_POINTS = 200
# Of a reliability diagram, as many examples in each.
GROUPS, LEAST_OF_A_GROUP = 10, 10


def class_sections(
    outcome: Outcome, target: Target, unit: str, uncalibrated: np.ndarray | None = None, calibration: str = ""
) -> list[Section]:
    """What there is to see of predicted classes; `unit`: what examples are called, in the plural.

    `uncalibrated`: the probabilities before a temperature was applied, if one was. `calibration`: what was done, and
    why.
    """
    return [
        _confused(outcome, target, unit),
        Section("How well it ranks", _of_curves(target), html=beside(*_curves(outcome, target))),
        _reliable(outcome, target, unit, uncalibrated, calibration),
    ]


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...], what: str = "rows") -> go.Figure:
    """How often each class, given by its number, was taken for each other one; shaded by shares of the true class."""
    # scikit-learn takes a second to import.
    from sklearn.metrics import confusion_matrix

    figure, names = go.Figure(), [shortened(name) for name in classes]
    counts = confusion_matrix(truth, predicted, labels=range(len(classes)))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure.add_heatmap(z=shares, zmin=0, zmax=1, colorscale="Blues", showscale=False, xgap=1, ygap=1, text=counts,
                       texttemplate="%{text}" if len(names) <= LABELLED_CELLS else None,
                       hovertemplate=f"%{{text}} {what}, true %{{y}}, predicted %{{x}}<extra></extra>")
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False}
    figure.update_layout(xaxis={"title": "predicted", "automargin": True, **ticks},
                         yaxis={"title": "true", "autorange": "reversed", "automargin": True, **ticks})
    return figure.update_layout(height=160 + min(40 * len(names), 400), margin=MARGIN)


def _confused(outcome: Outcome, target: Target, unit: str) -> Section:
    truth, predicted, classes = outcome.truth, outcome.predicted, target.classes
    found = scores_by_class(truth, predicted, classes)
    note = f"The held-out {unit}, by their true class. {_worst(truth, predicted, classes)}"
    return Section("What was taken for what", note, confusion(truth, predicted, classes, unit), _table(found, unit))


def _worst(truth: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...]) -> str:
    """The commonest mistake, in a sentence."""
    wrong = truth != predicted
    if not wrong.any():
        return "None was mistaken."
    pairs, counts = np.unique(np.stack([truth[wrong], predicted[wrong]]), axis=1, return_counts=True)
    one, other = pairs[:, counts.argmax()]
    return (f"The commonest mistake is to take {classes[one]} for {classes[other]}: {counts.max():,} of "
            f"{np.sum(truth == one):,}.")


def _table(found: list[ClassScore], unit: str) -> str:
    shown = sorted(found, key=lambda one: one.recall)[:LABELLED_CELLS]
    more = (f"<p class=note>The {LABELLED_CELLS} of {len(found):,} classes that are found least.</p>"
            if len(found) > LABELLED_CELLS else "")
    rows = "".join(f"<tr><td>{escape(one.name)}<td>{one.count:,}<td>{_share(one.recall)}<td>{_share(one.precision)}"
                   for one in (shown if more else found))
    return f"""{more}<table class=classes><tr><th>class<th>{unit}<th>recall<th>precision{rows}</table>
<p class=note>Recall: the share of the {unit} of a class that were taken for it. Precision: the share of those taken for
it that are of it.</p>"""


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _of_curves(target: Target) -> str:
    """What the curves are of, and how to read them."""
    classes = target.classes
    if len(classes) == 2:
        of = f"The class that is sought is {classes[1]}."
    elif len(classes) <= CURVES:
        of = "Each class is sought among all others."
    else:
        of = f"Each class is sought among all others; the {CURVES} hardest of {len(classes):,} are shown."
    return (f"{of} A threshold on the probability gives a point of each curve: left, how many are found at what share "
            "of false alarms, which by chance is the dotted line; right, how many of those taken for it are of it. The "
            "nearer to the upper corner, the better; where finds are rare, the right one tells more.")


def _curves(outcome: Outcome, target: Target) -> tuple[go.Figure, go.Figure]:
    """The curve of true against false alarms, and that of precision against recall."""
    # scikit-learn takes a second to import.
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    chances = as_probabilities(outcome.predictions)
    found: list[tuple[float, float, int]] = []
    for number in _sought(outcome.truth, target):
        is_it = outcome.truth == number
        area, mean = (score(is_it, chances[:, number]) for score in (roc_auc_score, average_precision_score))
        found.append((float(area), float(mean), number))
    roc, ranked = go.Figure(), go.Figure()
    roc.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#888"}, showlegend=False,
                    hoverinfo="skip")
    for area, mean, number in sorted(found)[:CURVES]:
        is_it, name = outcome.truth == number, shortened(target.classes[number])
        falsely, truly, _ = roc_curve(is_it, chances[:, number])
        precision, recall, _ = precision_recall_curve(is_it, chances[:, number])
        for figure, x, y, score in ((roc, falsely, truly, area), (ranked, recall, precision, mean)):
            some = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).astype(int))
            line = {"width": 1.5} | ({"color": COLOUR} if len(found) == 1 else {})
            figure.add_scatter(x=x[some], y=y[some], mode="lines", line=line, name=f"{name} {score:.3f}")
    for figure, x, y in ((roc, "false alarms", "recall"), (ranked, "recall", "precision")):
        figure.update_layout(height=340, margin=MARGIN, legend=LEGEND, showlegend=True,
                             xaxis={"title": x, "range": [-0.01, 1.01]}, yaxis={"title": y, "range": [-0.01, 1.02]})
    return roc, ranked


def _sought(truth: np.ndarray, target: Target) -> list[int]:
    """The classes that have curves: of two, the second; of more, each of which there are some and not all."""
    numbers = [1] if len(target.classes) == 2 else range(len(target.classes))
    return [number for number in numbers if 0 < np.sum(truth == number) < len(truth)]


def _reliable(
    outcome: Outcome, target: Target, unit: str, uncalibrated: np.ndarray | None, calibration: str
) -> Section:
    binary = target.kind == "binary"
    of = f"probability of {target.classes[1]}" if binary else "probability of the predicted class"
    how_often = f"are {target.classes[1]}" if binary else "are of it"
    note = (f"By the {of}, {unit} are put into groups of equal size: where it says .8, {how_often} 8 of 10 if it is "
            "right. Below the dotted line it says too much, above too little. Bars are two standard errors.")
    figure, done = go.Figure(), f"<p class=note>{calibration[:1].upper()}{calibration[1:]}.</p>" if calibration else ""
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#888"}, name="right")
    if uncalibrated is not None:
        _add_groups(figure, *_said(uncalibrated, outcome.truth, binary), "before the temperature", "#bbb")
    after = "as it is" if uncalibrated is None else "with it"
    _add_groups(figure, *_said(outcome.predictions, outcome.truth, binary), after, CHECKED)
    figure.update_layout(height=380, margin=MARGIN, legend=LEGEND,
                         xaxis={"title": shortened(of), "range": [-0.02, 1.02]},
                         yaxis={"title": "share", "range": [-0.02, 1.02]})
    return Section("Are the probabilities right?", note, figure, done)


def _said(predictions: np.ndarray, truth: np.ndarray, binary: bool) -> tuple[np.ndarray, np.ndarray]:
    """What was said to be how probable, and whether it was so."""
    chances = as_probabilities(predictions)
    return (chances[:, 1], truth == 1) if binary else (chances.max(axis=1), chances.argmax(axis=1) == truth)


def _add_groups(figure: go.Figure, said: np.ndarray, was: np.ndarray, name: str, colour: str) -> None:
    order = np.argsort(said, kind="stable")
    groups = np.array_split(order, max(min(GROUPS, len(order) // LEAST_OF_A_GROUP), 1))
    shares = np.array([was[group].mean() for group in groups])
    counts = np.array([len(group) for group in groups])
    low, high = _within(shares, counts)
    bars = {"array": high - shares, "arrayminus": shares - low, "width": 3, "thickness": 1}
    figure.add_scatter(x=[said[group].mean() for group in groups], y=shares, mode="lines+markers", name=name,
                       line={"color": colour, "width": 1.5}, error_y=bars)


def _within(shares: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the probabilities are that shares are seen of, two standard errors to each side.

    Reference: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    centre, spread = shares + 2 / counts, 2 * np.sqrt(shares * (1 - shares) / counts + 1 / counts**2)
    return (centre - spread) / (1 + 4 / counts), (centre + spread) / (1 + 4 / counts)
