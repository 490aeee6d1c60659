"""The one pass that decides what a table's target and its other columns are; whatever comes after is handed this."""

from dataclasses import dataclass

import pandas as pd

from descend.tasks.common.columns import Column, Kind, describe_columns
from descend.tasks.common.reading import Table
from descend.tasks.common.target import Target, find_target, split_target


@dataclass(frozen=True)
class TypedTable:
    """A table with a target, typed.

    - `name`, `digest`: the table's.
    - `target_name`, `target`, `values`: the column to predict, what it asks for, and its values where it has some.
    - `features`, `columns`: the other columns in the same rows, and what each of them was taken for.
    - `dropped`: how many rows have no target.
    """

    name: str
    digest: str
    target_name: str
    target: Target
    values: pd.Series
    features: pd.DataFrame
    columns: tuple[Column, ...]
    dropped: int

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that there is something to learn from."""
        return tuple(column for column in self.columns if column.kind is not Kind.ignored)


def type_table(table: Table, target: str) -> TypedTable:
    """Type the column called `target`, drop the rows that lack it, and type the others.

    **Raises** `InputError` for a target that cannot be predicted, and for columns with infinite numbers.
    """
    # All rows are looked at, also those that will be held out: a few tell little about types, and that a column holds
    # dates gives nothing away of what they are.
    split = split_target(table, target)
    wanted, columns = find_target(split.target), describe_columns(split.features)
    return TypedTable(table.name, table.digest, target, wanted, split.target, split.features, columns, split.dropped)
