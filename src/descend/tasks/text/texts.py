"""Texts with their classes from a table: one in which nothing but a column of texts can be learnt from."""

import numpy as np
import pandas as pd

from descend.errors import InputError
from descend.tasks.common.columns import Kind
from descend.tasks.common.examples import Examples
from descend.tasks.common.network.collection import Collection
from descend.tasks.common.parsing import as_text
from descend.tasks.common.settings import Settings
from descend.tasks.common.typed_rows import TypedRows
from descend.tasks.common.typed_table import TypedTable
from descend.tasks.common.weighing import Weights


def is_of_texts(table: TypedTable) -> bool:
    """Whether a table has a column of texts, and nothing else to tell classes by."""
    kinds = [column.kind for column in table.used]
    return kinds == [Kind.text] and table.target.kind != "regression"


def collection_of(table: TypedTable, settings: Settings) -> Collection:
    """The texts of such a table; and of another one, if somebody gave one to score on."""
    weights = Weights(table, table.target, settings)
    examples = _examples(table, table, weights)
    test = None if table.test is None else _examples(table.test, table, weights)
    notes = (*table.notes, *weights.notes, *_notes(examples.inputs, table.dropped))
    return Collection(table.name, table.digest, table.target.classes, examples, test, notes=notes)


def _examples(rows: TypedRows, table: TypedTable, weights: Weights) -> Examples:
    names = [f"row {number + 1:,}" for number in rows.values.index]
    texts = texts_in(rows.features, table.used[0].name)
    return Examples(texts, table.target.encode(rows.values), names, weights.of(rows))


def texts_in(frame: pd.DataFrame, column: str) -> list[str]:
    """The texts of a column; those that are missing are empty.

    **Raises** `InputError` if there is no such column.
    """
    # Names of columns may be numbers, and are told as text.
    named = {str(name): name for name in frame.columns}
    if column not in named:
        raise InputError(f"the table lacks the column {column!r}, which the model was trained with")
    return as_text(frame[named[column]]).fillna("").tolist()


def _notes(texts: list[str], dropped: int) -> tuple[str, ...]:
    empty = int(np.sum([not text for text in texts]))
    notes = [f"{empty:,} texts are empty"] if empty else []
    return (*notes, *([f"{dropped:,} more rows have no class"] if dropped else []))
