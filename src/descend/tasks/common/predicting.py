"""Predictions as columns of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from descend.errors import InputError


@dataclass(frozen=True)
class Predictions:
    """What a model says of a source: a table in which the predictions are the column `column`, and notes on them."""

    frame: pd.DataFrame
    column: str
    notes: Sequence[str] = ()


def told(chances: np.ndarray, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns that tell of probabilities: the most probable class, and the probability of each."""
    best = np.asarray(classes, dtype=object)[chances.argmax(axis=1)]
    return {"prediction": best} | {f"probability of {name}": chances[:, i] for i, name in enumerate(classes)}


def beside(frame: pd.DataFrame, columns: dict[str, np.ndarray], notes: Sequence[str] = ()) -> Predictions:
    """The table with new columns; with a number behind their names, where it has such columns already."""
    end = free_end(map(str, frame.columns), columns)
    made = frame.assign(**{name + end: column for name, column in columns.items()})
    return Predictions(made, next(iter(columns)) + end, notes)


def free_end(names: Iterable[str], new: Iterable[str]) -> str:
    """What to put behind the names of new columns of a table, so that it has none of these already."""
    taken, wanted = set(names), list(new)
    # One number for all new columns, so that they are seen to belong together.
    ends = ["", *(f" {number}" for number in range(2, len(taken) + 3))]
    return next(end for end in ends if taken.isdisjoint(name + end for name in wanted))


def refuse_overwriting(path: Path, source: str, run: Path) -> None:
    """Refuse to write over what is predicted from, or over a file of the run."""
    if path.exists():
        if Path(source).exists() and path.samefile(source):
            raise InputError(f"{path} is the table to predict from: name another file to write to")
        if path.parent.resolve() == run.resolve():
            raise InputError(f"{path} is a file of the run: name another one to write to")
