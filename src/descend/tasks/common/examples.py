"""Examples with their targets, and which of them are held out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target


@dataclass(frozen=True)
class Examples:
    """Inputs with their targets.

    `inputs`: an array with an example in each row, maybe a sparse one, or a list of texts. `targets`: numbers, or the
    numbers of classes. `names`: what to call each of them, where somebody may look for it. `weights`: how much each of
    them counts, 1 on average; `None` where all count alike.
    """

    inputs: Any
    targets: np.ndarray
    names: Sequence[str] = ()
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def chosen(self, rows: np.ndarray) -> "Examples":
        """Those with the given numbers."""
        some = self.inputs[rows] if hasattr(self.inputs, "shape") else [self.inputs[row] for row in rows]
        names = [self.names[row] for row in rows] if self.names else ()
        return Examples(some, self.targets[rows], names, None if self.weights is None else self.weights[rows])

    @property
    def every_weight(self) -> np.ndarray:
        """The weight of each, in single precision: 1 where all count alike."""
        return np.ones(len(self), np.float32) if self.weights is None else self.weights.astype(np.float32)


@dataclass(frozen=True)
class Scale:
    """Where a numeric target is centred, and its unit, while a model is trained on it."""

    centre: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class Judged:
    """What models are compared on: the `targets` of examples that they have not learnt from, as models learn them; the
    `weights` of these, `None` where all count alike; and `where` they are from, in words."""

    targets: np.ndarray
    weights: np.ndarray | None
    where: str


@dataclass(frozen=True)
class Prepared:
    """What there is to learn from and what is held out, in the form that models take.

    - `target`: what is predicted.
    - `training`: to learn from; numbers are centred and in units of their spread, by `scale`.
    - `held_out`: to judge on, with the targets as they are.
    - `dropped`: how many examples had no target.
    """

    target: Target
    training: Examples
    held_out: Examples
    scale: Scale = Scale()
    dropped: int = 0

    @property
    def judged(self) -> Judged | None:
        """What models are compared on; `None` where nothing is kept from them."""
        return None


def hold_out(count: int, target: Target, labels: np.ndarray | None, settings: Settings, unit: str) -> list[np.ndarray]:
    """The numbers of the examples to learn from, and of those held out: as much of each class, by its labels.

    `unit`: what examples are called, in the plural.

    **Raises** `InputError` if there are too few.
    """
    # scikit-learn takes a second to import.
    from sklearn.model_selection import train_test_split

    # One of every class, and of numbers two, that they can vary.
    least = max(len(target.classes), 2)
    held = max(math.ceil((settings.hold_out or 0.0) * count), least)
    if count - held < least:
        raise InputError(f"{count:,} {unit} are too few to hold out {held:,} and learn from the others: add more, or "
                         "hold out a smaller share")
    return train_test_split(np.arange(count), test_size=held, random_state=settings.dividing_seed, stratify=labels)


def refuse_large_batch(settings: Settings, count: int, unit: str) -> None:
    """Refuse batches of more examples than there are.

    **Raises** `InputError`.
    """
    if settings.batch_size and settings.batch_size > count:
        raise InputError(f"the batch size is {settings.batch_size:,}, but there are {count:,} {unit} to learn from: "
                         "choose at most that")
