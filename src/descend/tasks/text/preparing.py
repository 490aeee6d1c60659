"""Texts made ready for training: dealt to folds, in which candidates are judged by texts that they have not seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from descend.tasks.common.dividing import FOLDS, Folds, folds_by_chance
from descend.tasks.common.examples import Examples
from descend.tasks.common.folded import Folded
from descend.tasks.common.network.task import NetworkPrepared
from descend.tasks.common.settings import Settings

# From so many texts on, a tenth of them tells enough, and a network, which needs many, is a candidate, too.
MANY_TEXTS = 2000


@dataclass(frozen=True)
class TextPrepared(NetworkPrepared, Folded):
    """Texts to learn from, each in a fold, and others held out; and the network that may be trained."""

    @property
    def is_large(self) -> bool:
        """Whether there are texts enough for a network."""
        return len(self.training) >= MANY_TEXTS

    @property
    def for_network(self) -> tuple[Examples, dict[str, Any]]:
        """All but the texts that are validated on, and these, as a network takes them."""
        unseen = self.training.chosen(np.flatnonzero(self.validated))
        others = self.training.chosen(np.flatnonzero(~self.validated))
        return others, {"X_val": unseen.inputs, "y_val": unseen.targets}


def in_folds(prepared: NetworkPrepared, settings: Settings) -> TextPrepared:
    """What was prepared, dealt to folds: few texts are all validated on, and a tenth of many."""
    count = len(prepared.training)
    members, parts = (1, 2 * FOLDS) if count >= MANY_TEXTS else (FOLDS, FOLDS)
    folds: Folds = folds_by_chance(count, prepared.training.targets, members, parts, settings.dividing_seed)
    return TextPrepared(**vars(prepared), folds=folds.numbers, members=folds.members, validated_on=folds.where)
