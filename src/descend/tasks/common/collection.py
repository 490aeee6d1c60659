"""Pictures or texts with their classes, and which of them are held out."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from descend._text import in_a_line
from descend.errors import InputError

Kind = Literal["pictures", "texts"]
CLASS = "class"  # what is predicted of pictures


@dataclass(frozen=True)
class Examples:
    """Inputs with their classes.

    `inputs`: pictures as an array with one in each row, or a list of texts. `targets`: the numbers of the classes.
    `names`: what to call each of them.
    """

    inputs: Any
    targets: np.ndarray
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.targets)

    def chosen(self, rows: np.ndarray) -> "Examples":
        """Those with the given numbers."""
        some = self.inputs[rows] if isinstance(self.inputs, np.ndarray) else [self.inputs[row] for row in rows]
        return Examples(some, self.targets[rows], [self.names[row] for row in rows])


@dataclass(frozen=True)
class Collection:
    """What there is to learn from.

    - `name`, `digest`: what to call it, and a digest of all that is in it.
    - `classes`: their names, in the order of their numbers.
    - `examples`: to learn from, or to divide.
    - `test`: to be held out, if the collection brings them.
    - `target`, `column`: what is told apart; for texts, the columns of the table that have the classes and the texts.
    - `notes`: what was done to them, in sentences.
    - `validation`: to see by when to stop, if the collection brings them.
    """

    kind: Kind
    name: str
    digest: str
    classes: tuple[str, ...]
    examples: Examples
    test: Examples | None = None
    target: str = CLASS
    column: str = ""
    notes: tuple[str, ...] = ()
    validation: Examples | None = None


def digest_of(classes: tuple[str, ...], *parts: Examples | None) -> str:
    """A digest of pictures, their classes, and which part they are in."""
    digest = hashlib.sha256("\0".join(classes).encode())
    for number, part in enumerate(parts):
        if part is not None:
            digest.update(repr((number, part.inputs.dtype, part.inputs.shape)).encode())
            digest.update(np.ascontiguousarray(part.inputs).data)
            digest.update(part.targets.data)
    return digest.hexdigest()


def refuse_unknown(labels: Iterable[Any], other: str, learn: str) -> None:
    """Refuse labels of other examples that those to learn from do not have.

    **Raises** `InputError` if there are any.
    """
    unknown = sorted(map(str, labels))
    if unknown:
        raise InputError(f"{other} has the class '{in_a_line(unknown[0])}', which {learn} has not: nothing can be "
                         "learnt of it")


def divided(collection: Collection, share: float, seed: int) -> tuple[Examples, Examples]:
    """The examples to learn from, and those held out: the collection's own, or a share with as much of each class.

    **Raises** `InputError` if there are too few.
    """
    from sklearn.model_selection import train_test_split  # a second to import

    examples, classes = collection.examples, collection.classes
    counts = np.bincount(examples.targets, minlength=len(classes))
    if collection.test is not None:
        return examples, collection.test
    if counts.min() < 2:
        lonely = in_a_line(classes[int(counts.argmin())])
        raise InputError(f"class '{lonely}' has one of the {collection.kind} alone, and needs one to learn from and "
                         "one to check on: add to it, or take it away")
    held = max(math.ceil(share * len(examples)), len(classes))
    if len(examples) - held < len(classes):
        raise InputError(f"{len(examples):,} {collection.kind} are too few to hold out {held:,} and learn from the "
                         "others: add more, or hold out a smaller share")
    rows = train_test_split(np.arange(len(examples)), test_size=held, random_state=seed, stratify=examples.targets)
    learnt, held_out = (examples.chosen(part) for part in rows)
    return learnt, held_out
