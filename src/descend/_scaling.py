"""The units of columns, targets and observations in training: their spread, where that is more than rounding."""

from typing import Any

import numpy as np

from descend._arrays import Scalar, namespace

# In units of rounding, eps·|mean|: what lies no farther apart was meant to be one number.
ROUNDING_UNITS = 16


def unit_of(mean: Scalar, variance: Scalar, eps: float) -> Any:
    """The spread √variance, by which numbers are divided; 1 where they are constant but for their rounding.

    `eps`: that of the type that the numbers have. A constant 0.1 that sums have moved by 1e-17 has a spread, too; as a
    unit it would make 0.1000001, when something is predicted, the greatest number of all.
    """
    xp = namespace(variance)
    return xp.where(variance <= (ROUNDING_UNITS * eps * mean) ** 2, xp.ones_like(variance), xp.sqrt(variance))


def centre_and_unit(rows: np.ndarray, weights: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each column and its unit, in double precision. `weights`: how much each row counts.

    What is summed up are distances from the first row: of equal numbers they are 0, and not rounding.
    """
    first = rows[:1].astype(np.float64)
    away = np.subtract(rows, first, dtype=np.float64)
    mean = np.average(away, axis=0, weights=weights)
    away -= mean
    variance = np.average(np.square(away, out=away), axis=0, weights=weights)
    mean += first[0]
    return mean, unit_of(mean, variance, float(np.finfo(rows.dtype).eps))
