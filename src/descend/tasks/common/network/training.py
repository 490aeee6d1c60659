"""Training on a collection: a convolutional network for pictures, a bag of words for texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from descend._tree import split
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.neural import ConvClassifier, TextClassifier
from descend.neural.augmentation import is_mirrorable
from descend.observers import Observer
from descend.schedules import Cosine
from descend.stopping import Reason
from descend.tasks.common.collection import Collection, Examples, Kind, divided
from descend.tasks.common.settings import OPTIMIZERS, Settings

Network = ConvClassifier | TextClassifier
VALIDATED = 0.1, 2000  # the share of the examples, and the most of them, that are validated on


@dataclass(frozen=True)
class Classifier:
    """All that a prediction needs: the network, and the names of its classes; for texts, the column they were in."""

    kind: Kind
    network: Network
    classes: tuple[str, ...]
    column: str = ""

    def predict(self, inputs: Any) -> np.ndarray:
        """The probability of each class, for each of the inputs."""
        return self.network.predict_proba(inputs)

    def describe(self) -> str:
        """What it is, in a few words."""
        numbers = f"{sum(leaf.size for leaf in jax.tree.leaves(split(self.network.network_)[0])):,} parameters"
        if isinstance(self.network, ConvClassifier):
            height, width, channels = self.network.image_shape_
            colours = "grey" if channels == 1 else "colour"
            return f"{self.network.model} network, {numbers}, on {colours} pictures of {height}×{width}"
        return f"bag of words, {len(self.network.vocabulary_.hashes):,} of them known, {numbers}"


@dataclass(frozen=True)
class Prepared:
    """A collection with examples to learn from and others held out, and the network that is to be trained."""

    collection: Collection
    learnt: Examples
    held_out: Examples
    network: Network


@dataclass(frozen=True)
class Fitted:
    """A finished training, and the examples that it has not seen."""

    model: Classifier
    prepared: Prepared

    @property
    def reason(self) -> Reason:
        """Why it ended."""
        return self.model.network.stop_reason_


def prepare(collection: Collection, settings: Settings) -> Prepared:
    """Hold examples out, and settle how a network learns from the others.

    **Raises** `InputError` for examples and settings that do not fit each other.
    """
    learnt, held_out = divided(collection, settings.hold_out, settings.seed)
    count = len(learnt)
    if settings.batch_size and settings.batch_size > count:
        raise InputError(f"the batch size is {settings.batch_size:,}, but there are {count:,} {collection.kind} to "
                         "learn from: choose at most that")
    share, most = VALIDATED
    common: dict[str, Any] = {
        "optimizer": _rule(settings, collection.kind),
        "batch_size": settings.batch_size or "auto",
        "epochs": settings.epochs,
        "seconds": settings.seconds,
        "validation_fraction": min(share, most / count),
        "random_state": settings.seed,
    }
    if collection.kind == "texts":
        return Prepared(collection, learnt, held_out, TextClassifier(**common))
    # A photograph could as well have been taken in a mirror; grey pictures may be of letters.
    flip = learnt.inputs.shape[3:] == (3,) or is_mirrorable(learnt.inputs, learnt.targets)
    return Prepared(collection, learnt, held_out, ConvClassifier(flip=flip, **common))


def train(prepared: Prepared, observers: Sequence[Observer] = (), checkpoint: Path | None = None) -> Fitted:
    """Train the network; `checkpoint`: where to save the training, and to go on from.

    **Raises** `CheckpointError` for a checkpoint that is damaged, or of another training.
    """
    network, collection = prepared.network, prepared.collection
    network.observers, network.checkpoint = observers, Checkpoint(checkpoint, every=1.0) if checkpoint else None
    given = collection.validation
    validation = {} if given is None else {"X_val": given.inputs, "y_val": given.targets}
    network.fit(prepared.learnt.inputs, prepared.learnt.targets, **validation)
    return Fitted(Classifier(collection.kind, network, collection.classes, collection.column), prepared)


def _rule(settings: Settings, kind: Kind) -> Any:
    """The rule that was asked for, at the rate that was asked for."""
    if settings.learning_rate is None:
        if settings.optimizer is not None:
            raise InputError(f"--optimizer {settings.optimizer} needs --learning-rate for {kind}: no rate is known "
                             "that does well on all of them; without both, one is found")
        return "auto"
    return OPTIMIZERS[settings.optimizer or "adamw"](Cosine(settings.learning_rate, warmup=20))
