"""A few sentences on how a descent went, from what is known at its end: next to no time is taken for them."""

import math
from dataclasses import dataclass

import numpy as np

from descend._tree import named_leaves, split
from descend.engine.descent import NONFINITE
from descend.insight.rules import rate_of
from descend.schedules import Constant
from descend.sources import Empty, HostSource, WholeSet
from descend.training import Result

LEAST = 40  # recorded steps, of which it can be told how the loss goes on
SURE = 2.0  # standard errors by which a fall has to stand out from the noise of batches
NAMED = 5  # parameters, of which the first are named


@dataclass(frozen=True)
class Verdict:
    """What there is to say of a descent: `sentences`; none where nothing stands out."""

    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.sentences)


def verdict(result: Result) -> Verdict:
    """What stands out at the end of a descent: parameters that no gradient comes to, a search for the learning rate
    that saw little, the kind of the point where the loss has no noise, and what twice the steps would likely bring.

    It costs one gradient, and looks at no more than the history has.

    >>> import numpy as np
    >>> from descend import SGD, minimize
    >>> from descend.insight import verdict
    >>> result = minimize(lambda p: (p["used"] - 1.0) ** 2 + 0 * p["idle"], {"used": 0.0, "idle": 2.0},
    ...                   optimizer=SGD(0.1), steps=5, stop=[])
    >>> print(verdict(result).sentences[0])
    No gradient comes to idle: it stays where it began.
    """
    told = [_unmoved(result), _search(result), _point(result), _twice(result)]
    return Verdict(tuple(sentence for sentence in told if sentence))


def _unmoved(result: Result) -> str:
    """Parameters whose gradient is exactly zero."""
    run = result.run
    if isinstance(run.descent.source, HostSource) or int(run.state.guard.status) == NONFINITE:
        return ""  # to draw from a loader might begin an epoch anew
    _, grads = run.loss_and_grad()
    still = [path for path, g in named_leaves(split(grads)[0]).items() if g.size and not np.any(np.asarray(g))]
    if not still or len(still) == len(named_leaves(split(grads)[0])):
        return ""
    more = f" and {len(still) - NAMED} more" if len(still) > NAMED else ""
    they = "it stays where it began" if len(still) == 1 else "they stay where they began"
    return f"No gradient comes to {', '.join(still[:NAMED])}{more}: {they}."


def _search(result: Result) -> str:
    if result.search is None or result.search.seen:
        return ""
    return (f"The search for a learning rate saw little: no trial led clearly below the start, so "
            f"{result.search.rate:.2g} is hardly more than a guess.")


def _point(result: Result) -> str:
    """The kind of point, where the descent looked itself."""
    return f"It ended at a {result.examined.kind}." if result.examined and result.examined.kind != "unknown" else ""


def _twice(result: Result) -> str:
    """What twice the steps would likely bring, if the loss goes on as it did; not where a schedule ends the descent."""
    schedule = rate_of(result.run.descent.optimizer)
    is_steady = isinstance(schedule, Constant) and not isinstance(result.run.descent.source, Empty | WholeSet)
    losses = np.asarray(result.history.columns.get("loss", ()), np.float64)
    if not is_steady or len(losses) < LEAST or result.reason.name not in ("budget", "interrupted"):
        return ""
    # Each is the last quarter of the steps up to there, so that a power of the steps falls by one ratio between them.
    parts = [losses[3 * end // 4 : end] for end in (len(losses) // 4, len(losses) // 2, len(losses))]
    first, middle, last = (float(part.mean()) for part in parts)
    error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in parts[1:]))
    fell = middle - last
    if not math.isfinite(first + fell + error):
        return ""
    if fell < SURE * error:
        return "The loss no longer falls by more than the noise of its batches: more steps so would bring little."
    before = first - middle
    ratio = min(max(fell / before, 0.0), 1.0) if before > 0 else 1.0
    return (f"The loss still falls: from {middle:.3g} half-way to {last:.3g}. As it went on so far, twice the steps "
            f"would bring it to about {last - ratio * fell:.3g}.")
