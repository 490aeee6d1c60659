"""One's own table: which of its columns can be axes or a target, and its rows as points."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from descend.errors import InputError
from descend.studio.playground.points import MIN_POINTS, Points
from descend.tasks.common.columns import Column, Kind, describe_columns
from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.target import find_target, split_target
from descend.tasks.table.typed import typed_frame

# More points than one can see, and enough to learn what two columns tell.
MAX_ROWS_SEEN = 5000
MAX_CLASSES = 10
NUMBERS = (Kind.number, Kind.boolean)
# Around the points, as a part of how far they reach.
BORDER = 0.06

# What a target is taken for where it could be either.
TargetKind = Literal["classes", "number"]


@dataclass(frozen=True)
class Choice:
    """Columns to learn from and one to learn; `kind`: `None` where its values are to decide."""

    x: str
    y: str
    target: str
    kind: TargetKind | None = None


@dataclass(frozen=True, eq=False)
class OwnTable:
    """A table that was read: `rows` that it had, those of them that are looked at, what its columns are, and which
    words stand for gaps."""

    name: str
    rows: int
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    gap_words: frozenset[str] = frozenset()

    @classmethod
    def read(cls, source: str | Path) -> "OwnTable":
        """The table of a file, or of one of scikit-learn's samples.

        **Raises** `InputError` for what is no table, and for one without two columns of numbers and a target.
        """
        table = read_table(source)
        made = cls.of(table.name, table.frame, table.gap_words)
        made.first()
        return made

    @classmethod
    def of(cls, name: str, frame: pd.DataFrame, gap_words: frozenset[str] = frozenset()) -> "OwnTable":
        """A table in memory, or as many of its rows, drawn at random, as are looked at."""
        rows = len(frame)
        frame = frame.set_axis(frame.columns.map(str), axis=1)
        if rows > MAX_ROWS_SEEN:
            chosen = np.random.default_rng(0).choice(rows, MAX_ROWS_SEEN, replace=False)
            frame = frame.iloc[np.sort(chosen)]
        frame = frame.reset_index(drop=True)
        columns = tuple(_described(frame[[column]], gap_words) for column in frame.columns)
        return cls(name, rows, frame, columns, gap_words)

    @property
    def axes(self) -> list[str]:
        """The columns that can be an axis."""
        return [column.name for column in self.columns if column.kind in NUMBERS]

    @property
    def targets(self) -> list[str]:
        """The columns that can be a target."""
        return [column.name for column in self.columns if column.kind in (*NUMBERS, Kind.category)]

    def first(self) -> Choice:
        """What is shown at first: the last column that can be a target, over the first two that can be axes.

        **Raises** `InputError` where there are none.
        """
        for target in reversed(self.targets):
            axes = [name for name in self.axes if name != target]
            if len(axes) < 2:
                continue
            try:
                self.points(choice := Choice(axes[0], axes[1], target))
            except InputError:
                continue
            return choice
        told = "; ".join(f"{column.name!r}: {column.reason}" for column in self.columns[:8])
        raise InputError(f"{self.name} has no two columns of numbers beside one to learn, a number or of 2 to "
                         f"{MAX_CLASSES} classes ({told}): name another table")

    def told(self) -> dict[str, Any]:
        """What a page is told: names and kinds, no values."""
        first = self.first()
        columns = [{"name": column.name, "says": column.reason, "is_axis": column.name in self.axes,
                    "is_target": column.name in self.targets} for column in self.columns]
        return {"name": self.name, "rows": self.rows, "columns": columns, "first": vars(first)}

    def points(self, choice: Choice) -> Points:
        """The rows in which neither an axis nor the target is missing.

        **Raises** `InputError` for columns that are no axis or no target, and where nothing is left to learn.
        """
        # 1. Positions, and the rows that have both.
        axes = [self._axis(name) for name in (choice.x, choice.y)]
        self._one_of(self.targets, choice.target, "a target")
        if len({choice.x, choice.y, choice.target}) < 3:
            raise InputError("choose three different columns: two axes and a target")
        positions = typed_frame(self.frame, tuple(axes)).to_numpy(np.float64)
        there = np.isfinite(positions).all(1)
        if not there.any():
            raise InputError(f"no row has both {choice.x!r} and {choice.y!r}: choose other columns")
        # 2. The target where there is one.
        targets = self.frame.loc[there, [choice.target]]
        rows = targets.assign(**{f"row of {choice.target}": there.nonzero()[0]})
        split = split_target(Table(rows, self.name, "", self.gap_words), choice.target)
        positions = positions[split.features.iloc[:, 0].to_numpy()]
        # 3. What both are.
        kind = "regression" if choice.kind == "number" else choice.kind
        wanted = split.target
        target = find_target(wanted, kind)
        if target.classes:
            # A class of one row is none.
            known = target.knows(wanted).to_numpy()
            positions, wanted = positions[known], wanted[known]
        if len(target.classes) > MAX_CLASSES:
            raise InputError(f"{choice.target!r} has {len(target.classes)} classes, and at most {MAX_CLASSES} can be "
                             "told apart in a picture: " + self._instead(choice.target))
        for name, values in zip((choice.x, choice.y), positions.T, strict=True):
            _refuse_constant(name, values)
        if len(positions) < MIN_POINTS:
            raise InputError(f"only {len(positions)} rows have all of {choice.x!r}, {choice.y!r} and "
                             f"{choice.target!r}: at least {MIN_POINTS} are needed")
        return Points(
            title=self.name,
            axes=(choice.x, choice.y),
            target=choice.target,
            kind="regression" if target.kind == "regression" else "classification",
            classes=target.classes,
            positions=positions,
            targets=target.encode(wanted),
            centre=positions.mean(0),
            unit=positions.std(0),
            window=_window(positions),
            says=self._says(len(positions), lonely=len(split.target) - len(wanted)),
        )

    def _axis(self, name: str) -> Column:
        self._one_of(self.axes, name, "an axis")
        return next(column for column in self.columns if column.name == name)

    def _one_of(self, names: list[str], name: str, what: str) -> None:
        if name in names:
            return
        reasons = {column.name: f"{column.kind}: {column.reason}" for column in self.columns}
        raise InputError(f"{name!r} cannot be {what} ({reasons.get(name, 'there is no such column')}): choose another")

    def _instead(self, name: str) -> str:
        return "show it as a number" if name in self.axes else "choose another target"

    def _says(self, left: int, lonely: int) -> str:
        """How many rows there are, and what became of the others."""
        told = [f"{left:,} rows of {self.rows:,}"] if left < self.rows else [f"{left:,} rows"]
        if self.rows > len(self.frame):
            told.append(f"{len(self.frame):,} were drawn at random")
        if gaps := len(self.frame) - left - lonely:
            told.append(f"{gaps:,} with gaps are left out")
        if lonely:
            told.append(f"{lonely:,} alone in their class are left out")
        return "; ".join(told)


def _described(frame: pd.DataFrame, gap_words: frozenset[str]) -> Column:
    """What a column is; one that no model could take is ignored, as others may be fine."""
    try:
        return describe_columns(frame, gap_words)[0]
    except InputError:
        return Column(str(frame.columns[0]), Kind.ignored, "it has infinite values")


def _refuse_constant(name: str, values: np.ndarray) -> None:
    if not values.std() > 0:
        raise InputError(f"{name!r} is {values[0]:g} in every row that is left: choose another column")


def _window(positions: np.ndarray) -> tuple[float, float, float, float]:
    low, high = positions.min(0), positions.max(0)
    (x0, y0), (x1, y1) = low - BORDER * (high - low), high + BORDER * (high - low)
    return float(x0), float(x1), float(y0), float(y1)
