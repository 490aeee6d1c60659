"""Which model is kept, and why: the one that lost the least on rows that it had not seen, or a blend of several."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from descend.errors import InputError
from descend.tasks.common.choosing.blending import blended
from descend.tasks.common.choosing.measures import Losses
from descend.tasks.common.choosing.scoring import row_scores
from descend.tasks.common.examples import Judged
from descend.tasks.common.fitted import Trained
from descend.tasks.common.target import Target

# Standard errors by which a blend must be ahead of the best of its models: its shares were found on the same rows.
STANDARD_ERRORS_AHEAD = 1.0


def choose(
    trained: Sequence[Trained], losses_of: Losses, titles: Mapping[str, str], may_blend: bool = True
) -> tuple[Trained, str]:
    """The model with the least loss, or, if it may be, the blend of them that is clearly ahead; with the reason in
    words.

    `trained`: the simplest first, each with its predictions of the rows that are validated on; of equals, the simplest
    is kept. `losses_of`: what each of these rows adds to the loss. `titles`: of all that were to be trained, by name.
    """
    losses = losses_of([each.unseen for each in trained])
    means = [float(each.mean()) for each in losses]
    finite = [number for number, mean in enumerate(means) if math.isfinite(mean)]
    best = min(finite, key=means.__getitem__, default=0)
    reasons = [_compared(trained, losses, titles, best, other) for other in range(len(trained)) if other != best]
    missing = [title for name, title in titles.items() if name not in {each.name for each in trained}]
    if missing:
        how = "the interruption" if trained[-1].reason.name == "interrupted" else "the time was up"
        done = " and the ".join(titles[each.name] for each in trained)
        reasons.append(f"only the {done} {'was' if len(trained) == 1 else 'were'} trained before {how}")
    chosen = trained[best]
    if may_blend and len(finite) > 1 and (blend := blended([trained[number] for number in finite], losses_of)):
        ours, theirs = losses_of([blend.unseen, chosen.unseen])
        lead, error = _lead(theirs, ours)
        told = (f"{ours.mean():.4g} against {theirs.mean():.4g} of the {titles[chosen.name]} alone, give or take "
                f"{error:.2g}")
        if lead > STANDARD_ERRORS_AHEAD * error:
            chosen, reasons = blend, [f"the blend loses less on rows not trained on: {told}"]
        else:
            reasons.append(f"a blend is not clearly ahead: {told}")
    return chosen, "; ".join(reasons) or f"only the {titles[chosen.name]} suits the target"


def unseen_scores(trained: Trained, target: Target, judged: Judged) -> np.ndarray:
    """The score of each example that models are compared on, by a model that had not learnt from it.

    **Raises** `InputError` for a model that does not give what it predicts of them.
    """
    truth, predictions = judged.targets, trained.out_of_fold
    wanted = (len(truth), len(target.classes)) if target.classes else (len(truth),)
    if predictions is None or predictions.shape != wanted:
        found = "none" if predictions is None else f"an array of shape {predictions.shape}"
        raise InputError(f"the model {trained.name} should give predictions of the rows that are validated on, of "
                         f"shape {wanted}, but gives {found}: return them as `out_of_fold`")
    return row_scores(predictions, truth, target.kind, judged.weights)


def _compared(
    trained: Sequence[Trained], losses: Sequence[np.ndarray], titles: Mapping[str, str], best: int, other: int
) -> str:
    """Why the best one is better than another one: row by row, as what makes a row hard for both is no doubt."""
    if not math.isfinite(float(losses[other].mean())):
        return f"the other one, {trained[other].name}, gave numbers that are not finite"
    _, error = _lead(losses[other], losses[best])
    ours, theirs = (titles[trained[number].name] for number in (best, other))
    return (f"the {ours} loses less on rows not trained on than the {theirs}: {losses[best].mean():.4g} against "
            f"{losses[other].mean():.4g}, give or take {error:.2g}")


def _lead(behind: np.ndarray, ahead: np.ndarray) -> tuple[float, float]:
    """By how much less one loses than the other, and the standard error of that."""
    leads = behind - ahead
    return float(leads.mean()), float(leads.std() / math.sqrt(len(leads)))
