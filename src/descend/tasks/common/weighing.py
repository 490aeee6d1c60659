"""How much each row counts: by a column of weights, by its class, or both."""

import math

import numpy as np

from descend.errors import InputError
from descend.tasks.common.asked import close_names
from descend.tasks.common.columns import listing
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.common.typed_rows import TypedRows

BALANCED = "balanced"


class Weights:
    """What rows count, as was said; classes are balanced by the rows that are learnt from.

    A row's weight is that of its column times that of its class, and the mean of all of them is 1: how they compare is
    all that they say. `notes`: what there is to tell.

    **Raises** `InputError` for weights of classes that there are none of, or that are no numbers above 0.
    """

    def __init__(self, learnt: TypedRows, target: Target, settings: Settings):
        self._target = target
        self._by_class = _by_class(settings.class_weights, learnt, target)
        self.notes: tuple[str, ...] = ()
        if self._by_class is not None:
            each = ", ".join(f"{name} {weight:.4g}" for name, weight in zip(target.classes, self._by_class,
                                                                            strict=True))
            self.notes = (f"rows count by their class: {each}",)

    def of(self, rows: TypedRows) -> np.ndarray | None:
        """The weight of each row; `None` where all count alike."""
        weights = rows.weights
        if self._by_class is not None:
            each = self._by_class[self._target.encode(rows.values)]
            weights = each if weights is None else each * weights
        return None if weights is None else weights / weights.mean()


def _by_class(told: str | None, learnt: TypedRows, target: Target) -> np.ndarray | None:
    if told is None:
        return None
    if not target.classes:
        raise InputError("--class-weights is for classes, and the target is numbers: --weights names a column that "
                         "tells how much each row counts")
    if told == BALANCED:
        # scikit-learn takes a second to import.
        from descend._sample_weight import weights_of_classes

        labels = target.encode(learnt.values)
        return weights_of_classes(BALANCED, np.arange(len(target.classes)), labels, learnt.weights)
    given = _given(told, target)
    return np.array([given.get(name, 1.0) for name in target.classes])


def _given(told: str, target: Target) -> dict[str, float]:
    """The weights of classes, each as "NAME=NUMBER", with commas between them; a name may have commas, too."""
    given: dict[str, float] = {}
    name = ""
    for part in told.split(","):
        before, equals, number = part.rpartition("=")
        if not equals:
            name += f"{part},"
            continue
        label, name = (name + before).strip(), ""
        if label not in target.classes:
            raise InputError(f"--class-weights: there is no class {label!r}: {close_names(label, target.classes)}the "
                             f"classes are {listing(target.classes)}")
        given[label] = _weight(label, number)
    if name:
        raise InputError(f"--class-weights {told}: say balanced, or NAME=NUMBER for each class that does not count 1, "
                         "with commas between them")
    return given


def _weight(label: str, number: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise InputError(f"--class-weights: the weight of class {label!r} is {number.strip()!r}: it must be a number "
                         "above 0")
    return weight
