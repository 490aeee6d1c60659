"""The table that somebody gives to score on: read as the one that is learnt from was."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from descend.errors import InputError
from descend.tasks.common.columns import Column, Kind, as_written, listing
from descend.tasks.common.parsing import MISSING, as_text, first_row
from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.roles import roles_of
from descend.tasks.common.target import Target, readable_target
from descend.tasks.common.typed_rows import TypedRows, with_roles


class GivenTest(NamedTuple):
    """The rows of a test table; the digest of what was read, and what to tell."""

    rows: TypedRows
    digest: str
    notes: tuple[str, ...]


def given_test(
    source: str, target: Target, wanted: Column, columns: Iterable[Column], roles: Mapping[str, Column],
    gap_words: Collection[str],
) -> GivenTest:
    """The rows of a table to score on, read by what the columns of the other one were taken for.

    `wanted`, `columns`: the target, and the features. `roles`: of these, only weights are asked for, as they score.

    **Raises** `InputError` for a table that lacks columns, has nothing to score on, or has a class that is none.
    """
    used = [column for column in columns if column.kind is not Kind.ignored]
    weighing = {role: column for role, column in roles.items() if role == "weights"}
    table = read_table(source, as_written([wanted, *used, *weighing.values()]))
    where = f"--test {table.name}: "
    frame = table.frame
    _refuse_lacking(table, [wanted, *used, *weighing.values()], where)
    named = dict(zip(map(str, frame.columns), frame.columns, strict=True))
    values = _values(frame[named[wanted.name]], target, wanted, gap_words, where)
    present = values.notna().to_numpy()
    features = frame[[named[column.name] for column in used]][present].reset_index(drop=True)
    rows = with_roles(values[present].reset_index(drop=True), features, roles_of(frame, weighing, present, where))
    least = 1 if target.classes else 2
    if len(rows) < least:
        raise InputError(f"{where}{wanted.name!r} is known in {len(rows)} rows, and {least} at least are needed to "
                         "score on")
    dropped = int((~present).sum())
    left = f", without {dropped:,} that have no target" if dropped else ""
    return GivenTest(rows, table.digest, (f"held out are the {len(rows):,} rows of {table.name}{left}",
                                          *(f"{table.name}: {note}" for note in table.notes)))


def _refuse_lacking(table: Table, columns: list[Column], where: str) -> None:
    names = {str(name) for name in table.frame.columns}
    lacking = [column.name for column in columns if column.name not in names]
    if lacking:
        raise InputError(f"{where}it lacks {'the column' if len(lacking) == 1 else 'the columns'} {listing(lacking)}")


def _values(
    series: pd.Series, target: Target, wanted: Column, gap_words: Collection[str], where: str
) -> pd.Series:
    """The target, missing only where it is so in the file: what cannot be read is refused."""
    values, _ = readable_target(series, wanted, gap_words)
    unread = values.isna() & series.notna()
    if unread.any():
        texts = as_text(series)
        unread &= texts.notna() & ~texts.isin(wanted.gaps)
    if target.classes:
        unread |= values.notna() & ~target.knows(values)
    if unread.any():
        row = first_row(unread)
        text = as_text(series.iloc[[row - 1]], MISSING).iloc[0]
        which = f"one of the classes {listing(target.classes)}" if target.classes else "a number"
        raise InputError(f"{where}{wanted.name!r} is {text!r} in row {row:,}: expected {which}")
    return values
