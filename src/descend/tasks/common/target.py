"""What is to be predicted: numbers, or one of two or more classes."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from descend._facts import MAX_COUNT, Facts
from descend.errors import InputError
from descend.tasks.common.asked import refuse_unknown_column
from descend.tasks.common.columns import Column, Kind, describe_columns, is_flat, listing, refuse_infinities
from descend.tasks.common.parsing import MAY_BE_MEANT, as_numbers, as_text, first_row, is_numeric, without
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import TaskKind
from descend.tasks.common.suspects import spellings, spelt

TargetKind = Literal["regression", "binary", "multiclass"]

MAX_INTEGER_CLASSES = 20
"""Whole numbers with more distinct values than this are measured, not named."""

IF_NAMES = "; if they name classes, --task classes"

# Classes of the same meaning, which somebody writes in full, and another one does not.
_SHORTENED = (("y", "yes"), ("n", "no"), ("t", "true"), ("f", "false"))

# Counts have so many values at the least, and the largest is so many times rarer than the commonest.
_COUNTED, _RARE = 6, 10


@dataclass(frozen=True)
class Target:
    """What a model is asked for.

    - `kind`: "regression", "binary" or "multiclass".
    - `classes`: the labels as text, in the order of their indices; empty for regression.
    - `reason`: why the target was taken for that.
    """

    kind: TargetKind
    classes: tuple[str, ...]
    reason: str

    @property
    def outputs(self) -> int:
        """How many scores a model gives: one for a number and for two classes, else one for each class."""
        return len(self.classes) if self.kind == "multiclass" else 1

    def knows(self, target: pd.Series) -> pd.Series:
        """Which values are among the classes."""
        return _named(target).isin(self.classes)

    def encode(self, target: pd.Series) -> np.ndarray:
        """The target as numbers: float64, as float32 would lose minutes of a time in seconds; or indices of classes."""
        if self.kind == "regression":
            numbers = as_numbers(target)
            _refuse_missing(target, numbers.isna(), "a number")
            return numbers.to_numpy("float64")
        codes = _named(target).map({label: index for index, label in enumerate(self.classes)})
        _refuse_missing(target, codes.isna(), f"one of the classes {listing(self.classes)}")
        return codes.to_numpy("int32")


def target_of_file(told: Facts) -> Target:
    """What a model's file says that is to be predicted.

    **Raises** `CheckpointError` if it is something else.
    """
    kind, classes = told.choice("kind", get_args(TargetKind)), told.texts("classes")
    least, most = {"regression": (0, 0), "binary": (2, 2), "multiclass": (3, MAX_COUNT)}[kind]
    if not least <= len(classes) <= most:
        told.refuse("classes", f"as many as there are of a {kind} task", classes)
    return Target(kind, classes, told.text("reason"))


class Split(NamedTuple):
    """A table taken apart: what to predict from, what to predict, how many rows had no target, what to tell, and which
    rows have one."""

    features: pd.DataFrame
    target: pd.Series
    dropped: int
    notes: tuple[str, ...]
    present: np.ndarray


def split_target(table: Table, target: str, column: Column | None = None) -> Split:
    """Takes the column called `target` out of a table, and drops the rows where it is missing.

    `column`: what it was taken for; by default this is told from its values.
    """
    names = [str(name) for name in table.frame.columns]
    refuse_unknown_column(target, names, table.name)
    position = names.index(target)
    gap_words = table.gap_words
    if column is None:
        column = describe_columns(table.frame.loc[:, [name == target for name in names]], gap_words)[0]
    values = table.frame.iloc[:, position]
    features = table.frame.drop(columns=table.frame.columns[position])
    if features.shape[1] == 0:
        raise InputError(f"{table.name} has no column besides the target {target!r}: nothing to predict it from")
    values, notes = readable_target(values, column, gap_words)
    present = values.notna()
    values, features = values[present].reset_index(drop=True), features[present].reset_index(drop=True)
    refuse_useless(values, target)
    return Split(features, values, int((~present).sum()), notes, present.to_numpy())


def find_target(target: pd.Series, kind: TaskKind | None = None, rows: int | None = None) -> Target:
    """Says what a target asks for; `kind` settles it where the values could be taken for either.

    `rows`: how many there are, where these are some of them, with each value that there is.

    Classes of one row are none of its classes: they cannot be learnt from and checked on at once.

    **Raises** `InputError` where then fewer than two are left.
    """
    numeric = is_numeric(target) and not pd.api.types.is_bool_dtype(target.dtype)
    if kind == "regression" and not numeric:
        label = as_text(target).dropna().iloc[0]
        raise InputError(f"target {_name(target)!r} holds labels such as {label!r}: they name classes")
    counted = f"{target.nunique():,} different values in {rows or len(target):,} rows"
    if kind == "regression":
        return Target("regression", (), f"as asked: {counted}")
    if numeric and kind is None and _is_measured(as_numbers(target)):
        return Target("regression", (), f"numbers: {counted}{_if_names(as_numbers(target))}")
    if numeric and kind is None and _are_counts(as_numbers(target)):
        return Target("regression", (), f"counts, as they become ever fewer: {counted}{IF_NAMES}")
    # As text, as predictions name classes in text: 3 and 3.0 are one.
    counts = _named(target).value_counts()
    if (counts > 1).sum() < 2:
        _refuse_lonely(counts, _name(target))
    counts = counts[counts > 1]
    if isinstance(target.dtype, pd.CategoricalDtype):
        what = "labels, in the order of their type"
        classes = tuple(label for label in as_text(pd.Series(target.cat.categories)) if label in counts.index)
    else:
        what = "whole numbers" if numeric else "labels"
        classes = tuple(sorted(counts.index, key=float if numeric else str))
    return Target("binary" if len(classes) == 2 else "multiclass", classes, f"{what}: {counted}")


def _is_measured(numbers: pd.Series) -> bool:
    """Whether numbers are quantities and not names: fractions, or too many for the rows to be names."""
    distinct = numbers.nunique()
    # Two values are names whatever they are: a regression of 0 and 1 is hardly ever meant.
    if distinct == 2:
        return False
    whole = bool((numbers == numbers.round()).all())
    return not whole or distinct > MAX_INTEGER_CLASSES or distinct * 5 > len(numbers)


def _if_names(numbers: pd.Series) -> str:
    """How to say that measured numbers are names, where they may be: whole, and each of many rows."""
    distinct = numbers.nunique()
    may_be = distinct > 2 and distinct * 5 <= len(numbers) and bool((numbers == numbers.round()).all())
    return IF_NAMES if may_be else ""


def _are_counts(numbers: pd.Series) -> bool:
    """Whether whole numbers count something: all from 0 on, first ever more and then ever fewer, to very few.

    Names have no reason to become fewer in their order.
    """
    rows = numbers.value_counts().sort_index()
    if len(rows) < _COUNTED or list(rows.index) != list(range(len(rows))):
        return False
    sizes = rows.to_numpy("float64")
    top = int(sizes.argmax())
    # A count of rows differs from what is expected by its root.
    slack, steps = 2 * np.sqrt(sizes[1:]), np.diff(sizes)
    rising, falling = (steps > -slack)[:top].all(), (steps < slack)[top:].all()
    return bool(rising and falling and sizes[-1] * _RARE <= sizes.max())


def _named(target: pd.Series) -> pd.Series:
    """Classes as text. What meant "missing" is missing already."""
    return as_text(target, MAY_BE_MEANT)


def readable_target(
    values: pd.Series, column: Column, gap_words: Collection[str]
) -> tuple[pd.Series, tuple[str, ...]]:
    """The target with everything that means "missing" missing, and numbers that were text as numbers; what to tell."""
    if not is_flat(values) or pd.api.types.is_complex_dtype(values.dtype):
        raise InputError(f"target {column.name!r} {column.reason}: descend predicts numbers and classes")
    if column.kind is Kind.date:
        raise InputError(f"target {column.name!r} holds dates: make a number of them first, such as days from a start")
    text_numbers = column.kind is Kind.number or (column.kind is Kind.boolean and column.reason == "0 and 1")
    if is_numeric(values) or text_numbers:
        numbers = values if is_numeric(values) and values.dtype != object else column.numbers(values)
        refuse_infinities(column.name, as_numbers(numbers))
        return without(numbers, column.gaps), (column.note,) if column.note else ()
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values, ()
    kept = MAY_BE_MEANT.difference(gap_words)
    texts = as_text(without(values, column.gaps), kept)
    common = spellings(texts.value_counts(), every=column.kind is Kind.boolean)
    return spelt(texts, common), tuple(_told(texts, common, kept, column.name))


def _told(texts: pd.Series, common: tuple[str, ...], kept: Collection[str], name: str) -> Iterator[str]:
    """What is to be told of the words of a target."""
    for word in texts.dropna().unique():
        if word.lower() in kept:
            yield f"{word!r} is a class of {name}: if it stands for a gap, --missing {word}"
    folded = {str(word).casefold() for word in texts.dropna().unique()}
    alike = [pair for pair in _SHORTENED if folded.issuperset(pair)]
    if alike:
        said = ", and ".join(f"{short!r} and {full!r}" for short, full in alike)
        yield f"{said} are different classes of {name}: if they mean the same, write them alike"
    if common:
        yield f"classes of {name} that differ in their case alone are the same: {listing(common)}"


def refuse_useless(values: pd.Series, name: str) -> None:
    """Raises `InputError` for a target that has too few values to learn from."""
    if values.empty:
        raise InputError(f"target {name!r} is missing in every row: there is nothing to learn")
    if len(values) == 1:
        raise InputError(f"target {name!r} is known in one row only: at least two are needed, and more is better")
    if values.nunique() == 1:
        only = as_text(values).iloc[0]
        raise InputError(f"target {name!r} is {only!r} in every row: there is nothing to tell apart")


def _refuse_lonely(counts: pd.Series, name: str) -> None:
    """Raises where a class has one row: it cannot be learnt from and checked on at once."""
    lonely = sorted(counts.index[counts == 1])
    if lonely:
        many = f" (and {len(lonely) - 1:,} more classes)" if len(lonely) > 1 else ""
        raise InputError(
            f"target {name!r}: class {lonely[0]!r}{many} has only one row, and needs one to learn from "
            "and one to check on: add rows, merge rare classes, or remove the row"
        )


def _refuse_missing(target: pd.Series, bad: pd.Series, wanted: str) -> None:
    if bad.any():
        row = first_row(bad)
        found = "missing" if pd.isna(target.iloc[row - 1]) else repr(target.iloc[row - 1])
        raise InputError(f"target {_name(target)!r} is {found} in row {row:,}: expected {wanted}")


def _name(target: pd.Series) -> str:
    return "target" if target.name is None else str(target.name)
