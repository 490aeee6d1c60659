"""What the reports on images and on texts have in common: what was taken for what, and the worst mistakes."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from descend._figures import training_curves
from descend.tasks.common.fitted import Fitted, Outcome
from descend.tasks.common.judging.classes import class_sections
from descend.tasks.common.page import MARGIN
from descend.tasks.common.section import Section

# Of a mistake: the number of the example held out, and what is to be said of it, as HTML.
Shown = Callable[[int, str], str]


def lines(fitted: Fitted, notes: Sequence[str]) -> list[str]:
    """What stands below the score."""
    why = f": {escape(fitted.why)}" if fitted.why else ""
    return [f"<p>The model is a {escape(fitted.model.describe())}{why}.</p>",
            *(f"<p class=note>{escape(note)}.</p>" for note in notes)]


def sections(fitted: Fitted, outcome: Outcome, unit: str, mistakes: str) -> list[Section]:
    """Confusion of classes, the worst mistakes, how well it ranks and how right its probabilities are, curves."""
    confused, *others = class_sections(outcome, fitted.prepared.target, unit)
    # Of what was solved there are no steps: those of another model tell how that one went, if there is any.
    histories = [each.history for each in fitted.trained if len(each.history)] or [fitted.chosen.history]
    curves = training_curves(histories[-1], fitted.reason).update_layout(title=None, margin=MARGIN)
    return [
        confused,
        Section("The worst mistakes", html=mistakes),
        *others,
        Section("How the training went", f"Stopped by {fitted.reason}.", curves),
    ]


def worst_mistakes(fitted: Fitted, outcome: Outcome, unit: str, most: int, style: str, shown: Shown) -> str:
    """The mistakes of which the model was surest, in an element of a class of CSS; `shown` says how one looks."""
    count = int(np.sum(outcome.predicted != outcome.truth))
    if not count:
        return f"<p class=note>There are none: all held-out {unit} were told.</p>"
    rows = outcome.mistakes(most).tolist()
    items = "".join(shown(row, _told(fitted, outcome, row)) for row in rows)
    return (f"<p class=note>Of {count:,}, the {len(rows):,} that the model was surest of.</p>"
            f"<div class={style}>{items}</div>")


def _told(fitted: Fitted, outcome: Outcome, row: int) -> str:
    """What it is, and what it was taken for."""
    classes, chances = fitted.prepared.target.classes, outcome.predictions[row]
    true, taken = (int(numbers[row]) for numbers in (outcome.truth, outcome.predicted))
    return (f"<b>{escape(classes[true])}</b> ({chances[true]:.1%}), taken for <b>{escape(classes[taken])}</b> "
            f"({chances[taken]:.1%}) <span class=note>{escape(fitted.prepared.held_out.names[row])}</span>")
