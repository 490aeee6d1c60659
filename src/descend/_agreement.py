"""Whether a model that was exported gives what the model itself does."""

import numpy as np

from descend.errors import InputError

# How far outputs may be from those of the model, relative to the largest of them.
AGREEMENT = 1e-5


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest number."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    largest = float(np.abs(expected).max(initial=0)) or 1.0
    return float(np.abs(found - expected).max(initial=0)) / largest


def refuse_if_apart(away: float) -> None:
    """Refuse an export that is so far from its model.

    **Raises** `InputError`.
    """
    if not away <= AGREEMENT:
        raise InputError(f"the exported model is {away:.2g} away from this one, relative to its largest output, and "
                         f"may be {AGREEMENT:g}: nothing was written")
