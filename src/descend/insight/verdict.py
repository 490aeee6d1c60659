"""A few sentences on how a descent went, from what is known at its end: next to no time is taken for them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from descend.insight._end_curvature import end_curvature
from descend.insight._outlook import outlook
from descend.insight._unmoved import unmoved
from descend.observers import Progress
from descend.training import Result


@dataclass(frozen=True)
class Verdict:
    """What there is to say of a descent at its end; falsy where that is nothing.

    `sentences`: the same for two equal descents. `curvature`: how the loss curves there; empty where there was no time
    to find out, which depends on the machine.
    """

    sentences: tuple[str, ...] = ()
    curvature: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """All that is said."""
        return (*self.sentences, self.curvature) if self.curvature else self.sentences

    @classmethod
    def of(cls, members: Sequence["Verdict"]) -> "Verdict":
        """What there is to say of several descents: each sentence once, and of how many it is true."""
        if len(members) == 1:
            return members[0]
        counts = Counter(sentence for member in members for sentence in member.sentences)
        said = (f"In {count} of {len(members)}: {sentence}" for sentence, count in sorted(counts.items()))
        return cls(tuple(said))

    def __bool__(self) -> bool:
        return bool(self.all)

    def __str__(self) -> str:
        return " ".join(self.all)


def verdict(result: Result) -> Verdict:
    """What stands out at the end of a descent: parameters that did not move, a search for the learning rate that saw
    little, the kind of the point where the loss has no noise, what twice the steps would likely bring, and how the loss
    curves beside what the rule can stand.

    It looks at the start, the end and the history. The curvature takes ten products with the Hessian on at most 512
    examples; it is left out where that would take more than a twentieth of the training's time, compiling included, and
    where the examples are a policy's, or come from a loader.

    >>> import numpy as np
    >>> from descend import SGD, minimize
    >>> from descend.insight import verdict
    >>> result = minimize(lambda p: (p["used"] - 1.0) ** 2 + 0 * p["idle"], {"used": 0.0, "idle": 2.0},
    ...                   optimizer=SGD(0.1), steps=5, stop=[])
    >>> verdict(result).sentences
    ('idle did not move in 5 steps.',)
    """
    told = [*unmoved(result), _search(result), _point(result), outlook(result)]
    return Verdict(tuple(filter(None, told)), end_curvature(result))


class Verdicts:
    """An observer that has the verdict on each descent that it saw end: `each`."""

    def __init__(self) -> None:
        self.each: list[Verdict] = []

    def __call__(self, progress: Progress) -> None:
        """Nothing is said on the way."""

    def ended(self, result: Result) -> None:
        """Judge a descent."""
        self.each.append(verdict(result))


def _search(result: Result) -> str:
    if result.search is None or result.search.seen:
        return ""
    return (f"The search for a learning rate saw little: no trial led clearly below the start, so "
            f"{result.search.rate:.2g} is hardly more than a guess.")


def _point(result: Result) -> str:
    """The kind of point, where the descent looked itself."""
    return f"It ended at a {result.examined.kind}." if result.examined and result.examined.kind != "unknown" else ""
