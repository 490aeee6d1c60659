"""The section of a report on intervals, or sets of classes: whether they hold what they promise, and how wide they are.
"""

from typing import Any

import numpy as np

from descend.tasks.common.fitted import Outcome
from descend.tasks.common.judging.intervals import Conformal
from descend.tasks.common.section import Section
from descend.tasks.common.target import Target

# At which they are told of, and which the figures have, as far as the rows tell them.
LEVEL = 0.9
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)


def kept_and_width(conformal: Conformal, outcome: Outcome, target: Target, level: float) -> tuple[float, float]:
    """On the held-out examples: the share that intervals hold, and their median width; of sets, their mean size."""
    if target.kind == "regression":
        low, high = conformal.around(outcome.predictions, level)
        held, width = (low <= outcome.truth) & (outcome.truth <= high), float(np.median(high - low))
    else:
        sets = conformal.possible(outcome.predictions, level)
        held, width = sets[np.arange(len(sets)), outcome.truth], float(sets.sum(axis=1).mean())
    return float(np.average(held, weights=outcome.weights)), width


def known_levels(conformal: Conformal) -> list[float]:
    """Those of the figures that so many rows tell."""
    return [level for level in LEVELS if level <= conformal.shares[-1]]


def promise_facts(conformal: Conformal | None, outcome: Outcome, target: Target) -> dict[str, Any]:
    """For `metrics.json`; nothing, where so few rows promise nothing."""
    if conformal is None or LEVEL not in known_levels(conformal):
        return {}
    kept, width = kept_and_width(conformal, outcome, target, LEVEL)
    return {"intervals": {"level": LEVEL, "held": kept, "mean_size" if target.classes else "median_width": width}}


def promise_line(facts: dict[str, Any]) -> dict[str, str]:
    """The same as a line at a command's end."""
    if "intervals" not in facts:
        return {}
    of = facts["intervals"]
    held, asked = f"{of['held']:.1%} of held-out rows", f"(predict --interval {of['level']:g})"
    if "mean_size" in of:
        told = f"{of['mean_size']:.2f} classes are possible on average, the true one among them in {held} {asked}"
    else:
        told = f"{of['median_width']:,.4g} wide by the median, and hold {held} {asked}"
    return {"intervals": f"of {of['level']:.0%}: {told}"}


def promise_section(conformal: Conformal | None, outcome: Outcome, target: Target) -> list[Section]:
    """Promised and kept, by level; and the width."""
    levels = [] if conformal is None else known_levels(conformal)
    if conformal is None or not levels:
        return []
    # Plotly takes half a second to import.
    from descend.tasks.common.judging.promise_figures import kept_figure, width_figure
    from descend.tasks.common.page import beside

    found = [kept_and_width(conformal, outcome, target, level) for level in levels]
    kept, widths = (list(numbers) for numbers in zip(*found, strict=True))
    figures = kept_figure(levels, kept, len(outcome.truth)), width_figure(levels, widths, bool(target.classes))
    return [Section("How sure is a prediction?", _note(conformal, target, levels, widths), html=beside(*figures))]


def _note(conformal: Conformal, target: Target, levels: list[float], widths: list[float]) -> str:
    level = max(level for level in levels if level <= LEVEL)
    width = widths[levels.index(level)]
    if target.classes:
        what = (f"At {level:.0%}, the classes that are possible for a row are {width:.2f} on average: more, where the "
                "model is less sure.")
    else:
        along = ("They are wider where the model errs more: its errors change along the predictions."
                 if len(conformal.spread.places) else "They are equally wide everywhere.")
        what = f"At {level:.0%}, intervals are {width:,.4g} wide, by the median. {along}"
    return (f"{what} They are made of the errors on rows not trained on, and ask nothing of new rows but to be like "
            "these. Left: the share of held-out rows that they hold, which is to be near the dotted line; the band is "
            "what chance does to so many rows. Right: what it costs. descend predict --interval 0.9 writes them.")
