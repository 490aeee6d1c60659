"""How much examples count: weights of rows and of classes, refused where they are negative or no numbers."""

from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight
from sklearn.utils.validation import _check_sample_weight

from descend.errors import InputError


def checked_weights(sample_weight: Any, rows: Any) -> np.ndarray | None:
    """The weight of each row, of which there are as many as `rows` has; None, where none were given.

    **Raises** `InputError` for a negative weight, scikit-learn's `ValueError` for one that is no finite number.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(_check_sample_weight(sample_weight, rows, dtype=np.float64))
    if weights.min(initial=0) < 0:
        row = int(weights.argmin())
        raise InputError(f"sample_weight is {weights[row]:g} at row {row}: weights must not be negative")
    return weights


def weights_of_classes(class_weight: Any, classes: np.ndarray, y: Any, sample_weight: Any) -> np.ndarray:
    """The weight of each class, by a dict or "balanced".

    **Raises** `InputError` for one that is negative or no finite number.
    """
    weights = np.asarray(compute_class_weight(class_weight, classes=classes, y=y, sample_weight=sample_weight))
    if not (np.isfinite(weights).all() and weights.min() >= 0):
        wrong = weights[~(np.isfinite(weights) & (weights >= 0))][0]
        raise InputError(f"class_weight has {wrong:g}: weights must be numbers, and not negative")
    return weights
