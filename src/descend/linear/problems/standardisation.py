"""The coordinates in which solvers see a matrix: columns centred, and in units of their spread.

So it does not matter in which units the columns are, and a step is as long in one as in another.
"""

import numpy as np

from descend.linear.problems.matrix import Array, Matrix, Moments
from descend.linear.problems.problem import Standardisation


def standardisation_of(matrix: Matrix, moments: Moments, l2: Array, intercept: bool) -> Standardisation:
    """The coordinates in which a matrix's columns are seen."""
    mean, variance, greatest = moments
    # Centring a sparse matrix would fill it; without an intercept there is nothing that would make up for it.
    centred = intercept and not matrix.is_sparse
    centre = mean if centred else np.zeros_like(mean)
    spread = np.sqrt(variance if centred else variance + mean**2)
    # A column is judged in the rounding of the user's numbers.
    if matrix.shift is not None:
        greatest = greatest + np.abs(matrix.shift)
    # Constant but for rounding: it can only be taken for an intercept.
    still = spread <= 1e-13 * greatest
    spread = np.where(still | (spread == 0), np.where(greatest > 0, greatest, 1.0), spread)
    # A strong penalty, too, is to be no steeper than the loss.
    return Standardisation(centre, 1 / np.sqrt(spread**2 + l2))
