"""The values of a column along which predictions are looked at, as a person knows them and as the model does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from descend.tasks.common.columns import Column, Kind
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.typed import typed_frame

# Values of a number or a date, evenly spaced among the rows; and levels of a category, the commonest.
VALUES, LEVELS = 20, 10
# Of the rows, beyond which few are: there a model says more than it has seen.
ENDS = 0.02
# Rows that values are looked for in.
SOUGHT_IN = 10_000


@dataclass(frozen=True)
class Axis:
    """Values of a column, numbers and dates in ascending order.

    - `column`: its name. `is_ordered`: whether the values are numbers or dates, and not levels.
    - `values`: in the column's own unit. `encoded`: of each, the features that the column is made into.
    - `features`: which of all features these are.
    """

    column: str
    is_ordered: bool
    values: np.ndarray
    encoded: np.ndarray
    features: np.ndarray

    def in_order(self, order: np.ndarray) -> "Axis":
        """With its values in another order."""
        return replace(self, values=self.values[order], encoded=self.encoded[order])


def axes_of(names: Sequence[str], frame: pd.DataFrame, encoder: Encoder) -> dict[str, Axis]:
    """The axes of columns of the rows in `frame`, by name; none of texts, nor of columns with a single value."""
    columns = {column.name: column for column in encoder.used}
    # From all over the table, which may be in some order.
    some = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, min(len(frame), SOUGHT_IN)).astype(int))]
    rows, found = {}, {}
    for name in names:
        if columns[name].kind is not Kind.text:
            values = typed_frame(some, (columns[name],))[name]
            where = _rows_of(values, columns[name])
            if len(where) > 1:
                rows[name], found[name] = where, values.iloc[where]
    if not rows:
        return {}
    # In one call: what an encoder does to begin with costs more than the few rows.
    encoded = encoder.transform(some.iloc[np.concatenate(list(rows.values()))])
    owners, begin, made = np.array(encoder.feature_columns), 0, {}
    for name, where in rows.items():
        features = np.flatnonzero(owners == name)
        mine, begin = encoded[begin : begin + len(where)][:, features], begin + len(where)
        is_ordered = columns[name].kind in (Kind.number, Kind.date)
        made[name] = Axis(name, is_ordered, found[name].to_numpy(), mine, features)
    return made


def _rows_of(values: pd.Series, column: Column) -> np.ndarray:
    """The places of rows that have the values of the axis, in their order."""
    present = values.dropna()
    if column.kind in (Kind.category, Kind.boolean):
        levels = present.value_counts().index[:LEVELS]
        return np.array([int(np.argmax((values == level).to_numpy())) for level in levels], int)
    order = np.argsort(values.to_numpy(), kind="stable")[: len(present)]
    if not len(order):
        return order
    places = np.linspace(ENDS, 1 - ENDS, VALUES) * (len(order) - 1)
    chosen = order[np.round(places).astype(int)]
    # One row of each value: where there are few, they are all.
    _, first = np.unique(values.to_numpy()[chosen], return_index=True)
    return chosen[first]
