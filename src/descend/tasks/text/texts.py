"""Texts with their classes from a table: one in which nothing but a column of texts can be learnt from."""

import numpy as np
import pandas as pd

from descend.errors import InputError
from descend.tasks.common.collection import Collection, Examples
from descend.tasks.common.columns import Column, Kind, describe_columns
from descend.tasks.common.parsing import as_text
from descend.tasks.common.reading import Table
from descend.tasks.common.target import find_task, split_target

HEAD = 1000  # rows in which a second column shows soon that there is one


def as_texts(table: Table, target: str) -> Collection | None:
    """The texts of a table and the classes in its column `target`; `None` if other columns tell something, too.

    **Raises** `InputError` if the target cannot be predicted.
    """
    split = split_target(table, target)
    used = _used(split.features.head(HEAD))
    if len(used) > 1:
        return None
    used = _used(split.features)
    if len(used) != 1 or used[0].kind is not Kind.text:
        return None
    task = find_task(split.target)
    if task.kind == "regression":
        return None
    texts, targets = texts_in(split.features, used[0].name), task.encode(split.target)
    names = [f"row {number:,}" for number in range(1, len(texts) + 1)]
    return Collection(
        "texts", table.name, table.digest, task.classes, Examples(texts, targets, names), target=target,
        column=used[0].name, notes=_notes(texts, split.dropped),
    )


def texts_in(frame: pd.DataFrame, column: str) -> list[str]:
    """The texts of a column; those that are missing are empty.

    **Raises** `InputError` if there is no such column.
    """
    named = {str(name): name for name in frame.columns}
    if column not in named:
        raise InputError(f"the table lacks the column {column!r}, which the model was trained with")
    return as_text(frame[named[column]]).fillna("").tolist()


def _used(features: pd.DataFrame) -> list[Column]:
    return [column for column in describe_columns(features) if column.kind is not Kind.ignored]


def _notes(texts: list[str], dropped: int) -> tuple[str, ...]:
    empty = int(np.sum([not text for text in texts]))
    notes = [f"{empty:,} texts are empty"] if empty else []
    return (*notes, *([f"{dropped:,} more rows have no class"] if dropped else []))
