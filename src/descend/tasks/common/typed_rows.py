"""The rows of a table that have a target, and what its columns say of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from descend.tasks.common.columns import Column
from descend.tasks.common.reading import Table
from descend.tasks.common.roles import roles_of
from descend.tasks.common.target import Split, refuse_useless, split_target


@dataclass(frozen=True, kw_only=True)
class TypedRows:
    """Rows that have a target.

    - `values`: of the column to predict. `features`: the other columns, without those that say something of rows.
    - `weights`: how much each row counts, above 0 and at most 1; `None` where nobody said.
    - `groups`: the number of the group that each is in. `times`: dates or numbers. Likewise.
    """

    values: pd.Series
    features: pd.DataFrame
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def chosen(self, rows: np.ndarray) -> "TypedRows":
        """Those with the given numbers, or for which it is true."""
        weights, groups, times = (None if each is None else each[rows]
                                  for each in (self.weights, self.groups, self.times))
        return TypedRows(values=self.values.iloc[rows], features=self.features.iloc[rows], weights=weights,
                         groups=groups, times=times)


def rows_of(table: Table, wanted: Column, roles: Mapping[str, Column]) -> tuple[TypedRows, Split]:
    """The rows of a table that have a target, and count; and what was found when the target was taken out.

    `wanted`: the target. `roles`: the columns that say something of rows, by what they say.

    **Raises** `InputError` for a target that cannot be learnt, and for rows of which nothing, or nonsense, is said.
    """
    beside = [name for name in table.frame.columns if str(name) in {column.name for column in roles.values()}]
    split = split_target(replace(table, frame=table.frame.drop(columns=beside)), wanted.name, wanted)
    rows = with_roles(split.target, split.features, roles_of(table.frame, roles, split.present))
    refuse_useless(rows.values, wanted.name)
    return rows, split


def with_roles(values: pd.Series, features: pd.DataFrame, said: Mapping[str, np.ndarray]) -> TypedRows:
    """Rows with what was said of them. A row of weight 0 is one that is not there."""
    weights = said.get("weights")
    rows = TypedRows(values=values, features=features, weights=weights, groups=said.get("group"),
                     times=said.get("time"))
    return rows if weights is None or weights.all() else rows.chosen(weights > 0)
