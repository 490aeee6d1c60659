"""Partial dependence: what the model would say, on average, if a column had another value and all else were as it is.

Reference: Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29, 2001,
section 8.2; Goldstein et al. (2015), "Peeking inside the black box", for the lines of single rows.
"""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from descend.tasks.table.effects.axes import Axis

Predict = Callable[[np.ndarray], np.ndarray]


def dependence(predict: Predict, rows: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """What the model says of each encoded row, if its columns had each combination of the axes' values.

    **Returns**: of shape (values of the first axis, …, rows, …), with the classes last, if there are such. Its mean
    over the rows is the partial dependence.

    **Arguments**: `predict`, from encoded rows to numbers, or to a number for each class; `rows`, a sample.
    """
    counts = [len(axis.values) for axis in axes]
    changed = np.repeat(rows[None], int(np.prod(counts)), axis=0)
    for number, places in enumerate(product(*map(range, counts))):
        for axis, place in zip(axes, places, strict=True):
            changed[number][:, axis.features] = axis.encoded[place]
    said = predict(changed.reshape(-1, rows.shape[1]))
    return said.reshape(*counts, len(rows), *said.shape[1:])
