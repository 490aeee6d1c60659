"""A suspicion: what may be wrong, which symptoms speak for it, and the changes that would mend it if it were so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from descend.engine.run import Run
from descend.insight.case import Case
from descend.insight.judging import Judge
from descend.insight.replay import Change

Kind = Literal["loss", "data", "start", "rule", "rate", "clipping", "generalisation", "geometry"]
ORDER: tuple[Kind, ...] = ("loss", "data", "start", "rule", "rate", "clipping", "geometry", "generalisation")
# Which a descent is judged for by the examples that it descends on.
OF_TRAINING = ("rule", "rate", "clipping", "geometry")


@dataclass(frozen=True)
class Suspicion:
    """What may be wrong.

    `name`: of the fault, in the field's words. `kind`: where it lies; of faults that a replay cannot tell apart, the
    one that comes first in `ORDER` is told. `symptoms`: what speaks for it, in numbers. `changes`: each of which would
    mend it. `says`: the sentence, if it is proved. `likely`: from 0 to 1, by which those that are replayed are chosen.

    `least`: the gain that is asked for, where less is usual in healthy descents. `share`: the most of the mended
    descent's fall that there may have been without mending, where a better setting is not yet a fault. `group`: of
    which one alone is told, as a replay cannot tell them apart. `judged`: by what both descents are judged, where that
    is a score of its own. `is_fact`: whether it is found by counting, so that there is nothing to replay. `begins`:
    where a descent stands that is replayed from there, and not from the start.
    """

    name: str
    kind: Kind
    symptoms: str
    changes: Sequence[Change]
    says: str
    likely: float = 0.5
    least: float = 0.05
    share: float = 1.0
    group: str = ""
    judged: Callable[[Judge], Judge] = field(default=lambda judge: judge, repr=False)
    is_fact: bool = False
    begins: Run | None = field(default=None, repr=False)

    def is_told_with(self, other: "Suspicion") -> bool:
        """Whether only one of the two is to be told."""
        return bool(self.group) and self.group == other.group


Suspect = Callable[[Case], Suspicion | None]
