"""Texts made ready for training: dealt to folds, in which candidates are judged by texts that they have not seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from descend.tasks.common.dividing import FOLDS, Folds, folds_by_chance
from descend.tasks.common.examples import Examples
from descend.tasks.common.folded import Folded
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.settings import Settings

# From so many texts on, a tenth of them tells enough, and a network, which needs many, is a candidate, too.
MANY_TEXTS = 2000
# Fewer to validate a network on say nothing, and are better learnt from.
VALIDATED_LEAST = 20


@dataclass(frozen=True)
class TextPrepared(Folded, NetworkPrepared):
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


def keeping_some_back(prepared: NetworkPrepared, settings: Settings) -> NetworkPrepared:
    """What was prepared, for a network alone: some texts are kept back to validate on, if they are enough to say
    something, each class by its share."""
    # scikit-learn takes a second to import.
    from sklearn.model_selection import train_test_split

    targets, classes = prepared.training.targets, len(prepared.target.classes)
    held = int(prepared.network.validation_fraction * len(targets))
    if held < max(VALIDATED_LEAST, classes):
        return prepared
    # Which needs two texts of a class.
    stratify = targets if np.bincount(targets).min() > 1 else None
    return prepared.keeping_back(train_test_split(np.arange(len(targets)), test_size=held, stratify=stratify,
                                                  random_state=settings.dividing_seed)[1])


def in_folds(prepared: NetworkPrepared, settings: Settings) -> TextPrepared:
    """What was prepared, dealt to folds: few texts are all validated on, and a tenth of many."""
    count = len(prepared.training)
    members, parts = (1, 2 * FOLDS) if count >= MANY_TEXTS else (FOLDS, FOLDS)
    folds: Folds = folds_by_chance(count, prepared.training.targets, members, parts, settings.dividing_seed)
    return TextPrepared(**vars(prepared), folds=folds.numbers, members=folds.members, validated_on=folds.where)
