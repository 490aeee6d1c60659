"""The one pass that decides what a table's target and its other columns are; whatever comes after is handed this."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from descend.errors import InputError
from descend.tasks.common.asked import Asked, asked_of, column_as_asked, refuse_unknown_column
from descend.tasks.common.columns import Column, Kind, describe_columns
from descend.tasks.common.given_test import given_test
from descend.tasks.common.parsing import MISSING, as_text
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings, TaskKind
from descend.tasks.common.target import Target, find_target
from descend.tasks.common.typed_rows import TypedRows, rows_of


@dataclass(frozen=True, kw_only=True)
class TypedTable(TypedRows):
    """A table with a target, typed: its rows that have one, and what is known of them.

    - `name`, `digest`: the table's.
    - `target_name`, `target`: the column to predict, and what it asks for.
    - `columns`: what each column of the features was taken for.
    - `dropped`: how many rows have no target.
    - `notes`: what was done to the table or to the target, in sentences.
    - `test`: the rows of another table, that are to be held out; `None` where some of these are.
    """

    name: str
    digest: str
    target_name: str
    target: Target
    columns: tuple[Column, ...]
    dropped: int
    notes: tuple[str, ...] = ()
    test: TypedRows | None = None

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that there is something to learn from."""
        return tuple(column for column in self.columns if column.kind is not Kind.ignored)


def type_table(table: Table, settings: Settings) -> TypedTable:
    """Type the column that is to be predicted, drop the rows that lack it, and type the others.

    **Raises** `InputError` for a target that cannot be predicted, for columns with infinite numbers, and for what was
    said of columns or rows and does not fit.
    """
    target = settings.target
    names = [str(name) for name in table.frame.columns]
    for name in (target, *settings.of_rows.values()):
        refuse_unknown_column(name, names, table.name)
    asked = asked_of((*settings.column, *(f"{name}=ignore" for name in settings.drop)), names, table.name)
    table = replace(table, gap_words=table.gap_words | {word.lower() for word in settings.missing})
    # All rows are looked at, also those that will be held out: a few tell little about types, and that a column holds
    # dates gives nothing away of what they are.
    columns = _described(table, asked, settings.missing)
    wanted = columns.pop(target)
    roles = {role: columns.pop(name) for role, name in settings.of_rows.items()}
    rows, split = rows_of(table, wanted, roles)
    weightless = int(split.present.sum()) - len(rows)
    found = find_target(rows.values, _task(settings, asked.get(target)))
    lonely = []
    if found.classes:
        known = found.knows(rows.values).to_numpy()
        lonely = sorted(map(str, rows.values[~known].unique()))
        rows = rows.chosen(known)
    notes = (*table.notes, *split.notes, *_of_roles(roles, weightless), *_of_lonely(lonely, target))
    typed = TypedTable(**vars(rows), name=table.name, digest=table.digest, target_name=target, target=found,
                       columns=tuple(columns.values()), dropped=split.dropped, notes=notes)
    return typed if settings.test is None else _with_test(typed, settings.test, wanted, roles, table.gap_words)


def _with_test(
    table: TypedTable, source: str, wanted: Column, roles: Mapping[str, Column], gap_words: Collection[str]
) -> TypedTable:
    """The table with the rows of another one to hold out; what is fitted is then told by both."""
    found = given_test(source, table.target, wanted, table.columns, roles, gap_words)
    if found.digest == table.digest:
        raise InputError(f"--test {source}: that is the table that is learnt from: give rows that are not in it")
    digest = hashlib.sha256(f"{table.digest} {found.digest}".encode()).hexdigest()
    return replace(table, test=found.rows, digest=digest, notes=(*table.notes, *found.notes))


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


def _of_roles(roles: Mapping[str, Column], weightless: int) -> list[str]:
    """What is to be told of the columns that say something of rows."""
    left = f", and {weightless:,} of weight 0 are left out" if weightless else ""
    told = [f"rows count as {roles['weights'].name} tells{left}"] if "weights" in roles else []
    return [*told, *(f"{column.name}: {column.note}" for column in roles.values() if column.note)]
