"""The one pass that decides what a table's target and its other columns are; whatever comes after is handed this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from descend.tasks.common.asked import Asked, asked_of, column_as_asked, refuse_unknown_column
from descend.tasks.common.columns import Column, Kind, describe_columns
from descend.tasks.common.parsing import MISSING, as_text
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings, TaskKind
from descend.tasks.common.target import Target, find_target, split_target


@dataclass(frozen=True)
class TypedTable:
    """A table with a target, typed.

    - `name`, `digest`: the table's.
    - `target_name`, `target`, `values`: the column to predict, what it asks for, and its values where it has some.
    - `features`, `columns`: the other columns in the same rows, and what each of them was taken for.
    - `dropped`: how many rows have no target.
    - `notes`: what was done to the table or to the target, in sentences.
    """

    name: str
    digest: str
    target_name: str
    target: Target
    values: pd.Series
    features: pd.DataFrame
    columns: tuple[Column, ...]
    dropped: int
    notes: tuple[str, ...] = field(default=())

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that there is something to learn from."""
        return tuple(column for column in self.columns if column.kind is not Kind.ignored)


def type_table(table: Table, settings: Settings) -> TypedTable:
    """Type the column that is to be predicted, drop the rows that lack it, and type the others.

    **Raises** `InputError` for a target that cannot be predicted, for columns with infinite numbers, and for what was
    said of columns and does not fit.
    """
    target = settings.target
    names = [str(name) for name in table.frame.columns]
    refuse_unknown_column(target, names, table.name)
    asked = asked_of((*settings.column, *(f"{name}=ignore" for name in settings.drop)), names, table.name)
    table = replace(table, gap_words=table.gap_words | {word.lower() for word in settings.missing})
    # All rows are looked at, also those that will be held out: a few tell little about types, and that a column holds
    # dates gives nothing away of what they are.
    columns = _described(table, asked, settings.missing)
    wanted = columns.pop(target)
    split = split_target(table, target, wanted)
    found = find_target(split.target, _task(settings, asked.get(target)))
    values, features, lonely = split.target, split.features, []
    if found.classes:
        known = found.knows(values)
        lonely = sorted(map(str, values[~known].unique()))
        values, features = values[known].reset_index(drop=True), features[known].reset_index(drop=True)
    notes = [*table.notes, *split.notes, *_of_lonely(lonely, target)]
    return TypedTable(table.name, table.digest, target, found, values, features, tuple(columns.values()),
                      split.dropped, tuple(notes))


def _described(table: Table, asked: Mapping[str, Asked], missing: Sequence[str]) -> dict[str, Column]:
    """What each column is: as was asked for, or as its values tell without those that are missing."""
    gaps = {str(name): _present(table.frame[name], missing) for name in table.frame.columns} if missing else {}
    frame = table.frame
    for name in frame.columns:
        if found := gaps.get(str(name)):
            frame = frame.assign(**{str(name): frame[name].mask(as_text(frame[name], MISSING).isin(found))})
    columns = {}
    for name, column in zip(frame.columns, describe_columns(frame, table.gap_words), strict=True):
        said = asked.get(column.name)
        made = column if said is None else column_as_asked(column.name, frame[name], said)
        columns[made.name] = replace(made, gaps=tuple(dict.fromkeys((*made.gaps, *gaps.get(made.name, ())))))
    return columns


def _present(series: pd.Series, missing: Sequence[str]) -> list[str]:
    return [word for word in missing if (as_text(series, MISSING) == word).any()]


def _task(settings: Settings, asked: Asked | None) -> TaskKind | None:
    """Whether numbers or classes are to be predicted, if somebody said so."""
    if settings.task is not None:
        return settings.task
    return None if asked is None else "regression" if asked.kind == "number" else "classes"


def _of_lonely(lonely: list[str], target: str) -> list[str]:
    if not lonely:
        return []
    rows = "row" if len(lonely) == 1 else "rows"
    some = ", ".join(map(repr, lonely[:5])) + (", …" if len(lonely) > 5 else "")
    return [f"{len(lonely):,} {rows} set aside, each the only one of its class of {target} ({some}): a class needs one "
            "row to learn from and one to check on"]
