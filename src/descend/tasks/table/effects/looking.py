"""A look at what the weightiest columns of a table do, within what it may cost."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from descend.tasks.table.effects.axes import VALUES, Axis, axes_of
from descend.tasks.table.effects.dependence import dependence
from descend.tasks.table.effects.interactions import SIDE_BY_SIDE, Interaction, interactions
from descend.tasks.table.model import TableModel

# Columns that are looked at alone, and of which all pairs are.
ALONE, PAIRED = 6, 5
# Rows over which is averaged, of one column and of two.
ROWS, ROWS_OF_PAIRS = 200, 40
# What the model is fed at once: of thousands of features, fewer rows.
VALUES_AT_ONCE = 2**24
LEAST_ROWS = 8


@dataclass(frozen=True)
class Effects:
    """What the weightiest columns do.

    - `axes`: by name. `along`: of each, what the model says of single rows along it: of shape (values, rows), and
      classes, if there are such.
    - `pairs`: the strongest interaction first.
    - `joint`: of the strongest pair that has axes, the partial dependence on both; `None` if there is none.
    """

    axes: Mapping[str, Axis]
    along: Mapping[str, np.ndarray]
    pairs: Sequence[Interaction] = ()
    joint: tuple[tuple[str, str], np.ndarray] | None = None


def effects_of(
    model: TableModel, frame: pd.DataFrame, rows: np.ndarray, weighty: Sequence[str], seed: int
) -> Effects:
    """The effects of columns, of which the weightiest come first.

    `frame`: rows of the table, to find values in; `rows`: encoded ones that the model has not learnt from.
    """
    axes = axes_of(weighty[:ALONE], frame, model.encoder)
    rows = rows[np.random.default_rng(seed).permutation(len(rows))]
    most = VALUES_AT_ONCE // rows.shape[1]
    some = rows[: min(max(most // VALUES, LEAST_ROWS), ROWS)]
    few = rows[: min(max(int(most**0.5), LEAST_ROWS), ROWS_OF_PAIRS)]
    owners = np.array(model.encoder.feature_columns)
    # The products are short: NumPy's own threads would cost more than they bring.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        along = {}
        alone = list(pool.map(lambda axis: dependence(model.predict, some, [axis]), axes.values()))
        for (name, axis), said in zip(list(axes.items()), alone, strict=True):
            # Levels have no order of their own; by what they do, they are read at once.
            order = np.arange(len(said)) if axis.is_ordered else _ranks(said)
            axes[name], along[name] = axis.in_order(order), said[order]
        pairs = interactions(model.predict, few, {name: np.flatnonzero(owners == name) for name in weighty[:PAIRED]})
        shown = next((pair.columns for pair in pairs if set(pair.columns) <= set(axes)), None)
        joint = None
        if shown is not None:
            joint = shown, dependence(model.predict, few, [axes[name] for name in shown]).mean(axis=2)
    return Effects(axes, along, pairs, joint)


def _ranks(said: np.ndarray) -> np.ndarray:
    """The order of values by what is said on average; of classes, of the one that changes most."""
    means = said.mean(axis=1).reshape(len(said), -1)
    return np.argsort(means[:, int(np.ptp(means, axis=0).argmax())], kind="stable")
