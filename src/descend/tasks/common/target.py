"""What is to be predicted: numbers, or one of two or more classes."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from descend.errors import InputError
from descend.tasks.common.columns import Column, Kind, describe_columns, is_flat, refuse_infinities
from descend.tasks.common.parsing import as_numbers, as_text, first_row, is_numeric
from descend.tasks.common.reading import Table

TargetKind = Literal["regression", "binary", "multiclass"]

MAX_INTEGER_CLASSES = 20
"""Whole numbers with more distinct values than this are measured, not named."""


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

    def encode(self, target: pd.Series) -> np.ndarray:
        """The target as numbers: float64, as float32 would lose minutes of a time in seconds; or indices of classes."""
        if self.kind == "regression":
            numbers = as_numbers(target)
            _refuse_missing(target, numbers.isna(), "a number")
            return numbers.to_numpy("float64")
        codes = as_text(target).map({label: index for index, label in enumerate(self.classes)})
        _refuse_missing(target, codes.isna(), f"one of the classes {_listing(self.classes)}")
        return codes.to_numpy("int32")


class Split(NamedTuple):
    """A table taken apart: what to predict from, what to predict, and how many rows had no target."""

    features: pd.DataFrame
    target: pd.Series
    dropped: int


def split_target(table: Table, target: str) -> Split:
    """Takes the column called `target` out of a table, and drops the rows where it is missing."""
    names = [str(name) for name in table.frame.columns]
    if target not in names:
        close = get_close_matches(target, names, n=3)
        hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise InputError(f"{table.name} has no column {target!r}: {hint}its columns are {_listing(names)}")
    column = describe_columns(table.frame.loc[:, [name == target for name in names]])[0]
    position = names.index(target)
    values = table.frame.iloc[:, position]
    features = table.frame.drop(columns=table.frame.columns[position])
    if features.shape[1] == 0:
        raise InputError(f"{table.name} has no column besides the target {target!r}: nothing to predict it from")
    values = _readable(values, column)
    present = values.notna()
    values, features = values[present].reset_index(drop=True), features[present].reset_index(drop=True)
    _refuse_useless(values, target)
    return Split(features, values, int((~present).sum()))


def find_target(target: pd.Series, kind: Literal["regression", "classes"] | None = None) -> Target:
    """Says what a target asks for; `kind` settles it where the values could be taken for either."""
    numeric = is_numeric(target) and not pd.api.types.is_bool_dtype(target.dtype)
    if kind == "regression" and not numeric:
        label = as_text(target).dropna().iloc[0]
        raise InputError(f"target {_name(target)!r} holds labels such as {label!r}: they name classes")
    counted = f"{target.nunique():,} different values in {len(target):,} rows"
    if kind == "regression":
        return Target("regression", (), f"as asked: {counted}")
    if numeric and kind is None and _is_measured(as_numbers(target)):
        return Target("regression", (), f"numbers: {counted}")
    # As text, as predictions name classes in text: 3 and 3.0 are one.
    counts = as_text(target).value_counts()
    _refuse_lonely(counts, _name(target))
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


def _readable(values: pd.Series, column: Column) -> pd.Series:
    """The target with everything that means "missing" missing, and numbers that were text as numbers."""
    if not is_flat(values):
        raise InputError(f"target {column.name!r} {column.reason}: descend predicts numbers and classes")
    if column.kind is Kind.date:
        raise InputError(f"target {column.name!r} holds dates: make a number of them first, such as days from a start")
    text_numbers = column.kind is Kind.number or (column.kind is Kind.boolean and column.reason == "0 and 1")
    if is_numeric(values) or text_numbers:
        numbers = values if is_numeric(values) and values.dtype != object else as_numbers(values)
        refuse_infinities(column.name, as_numbers(numbers))
        return numbers
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values
    return as_text(values)


def _refuse_useless(values: pd.Series, name: str) -> None:
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


def _listing(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20:,} more"
