"""Which of the trained models is kept, and why."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from descend.tasks.common.fitted import Trained

# Standard errors by which a less simple model must be ahead: a simpler one is easier to understand.
STANDARD_ERRORS_AHEAD = 2.0


def choose(trained: Sequence[Trained], scores: Sequence[np.ndarray], titles: Mapping[str, str]) -> tuple[Trained, str]:
    """The simplest model, unless a later one is clearly ahead of what was chosen so far; with the reason in words.

    `trained`: the simplest first. `scores`: of each, what its rows add to its score, rows that none of them had seen.
    `titles`: of all that were to be trained, by name.
    """
    # Each is compared with the best one so far: it must be clearly ahead of that to be worth being less simple.
    best, reasons = 0, []
    for number in range(1, len(trained)):
        is_better, reason = _compared(trained, scores, titles, best, number)
        reasons.append(reason)
        best = number if is_better else best
    missing = [title for name, title in titles.items() if name not in {each.name for each in trained}]
    if missing:
        how = "the interruption" if trained[-1].reason.name == "interrupted" else "the time was up"
        done = " and the ".join(titles[each.name] for each in trained)
        reasons.append(f"only the {done} {'was' if len(trained) == 1 else 'were'} trained before {how}")
    return trained[best], "; ".join(reasons) or f"only the {titles[trained[best].name]} suits the target"


def _compared(
    trained: Sequence[Trained], scores: Sequence[np.ndarray], titles: Mapping[str, str], best: int, other: int
) -> tuple[bool, str]:
    """Whether another model is better than the best one so far, and why.

    The two are compared row by row: what makes a row hard for both is then no part of the doubt.
    """
    means = [float(each.mean()) for each in scores]
    for one, broken in ((best, other), (other, best)):
        if not math.isfinite(means[broken]):
            return one == other, f"the other one, {trained[broken].name}, gave numbers that are not finite"
    leads = scores[other] - scores[best]
    lead, error = float(leads.mean()), float(leads.std() / math.sqrt(len(leads)))
    told = f"{means[other]:.4f} against {means[best]:.4f} on rows not trained on, give or take {error:.4f}"
    simpler, later = (titles[trained[number].name] for number in (best, other))
    if lead > STANDARD_ERRORS_AHEAD * error:
        return True, f"the {later} is clearly ahead of the {simpler}: {told}"
    return False, f"the {later} is not clearly ahead of the {simpler}, which is simpler: {told}"
