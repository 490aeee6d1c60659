"""A table made ready for training: rows held out, the others encoded and dealt to folds."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from descend._scaling import centre_and_unit
from descend.errors import InputError
from descend.tasks.common.columns import describe_columns
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Task, find_task, split_target
from descend.tasks.table.encoding import Encoder

FOLDS, LARGE = 5, 20_000  # above so many rows, one member that is validated on a tenth of them is enough


@dataclass(frozen=True)
class Scale:
    """Where a numeric target is centred, and its unit, while a model is trained on it."""

    centre: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class Prepared:
    """A table made ready: encoded rows to train on, rows held out, and which fold each training row is in.

    `members`: how many of the folds are validated on, the first ones, each by a model that is trained without it.
    """

    task: Task
    encoder: Encoder
    scale: Scale
    rows: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    members: int
    held_out: pd.DataFrame
    held_out_rows: np.ndarray
    held_out_target: pd.Series
    dropped: int

    @property
    def outputs(self) -> int:
        """How many scores a model gives a row: one for a number and for two classes, else one for each class."""
        return len(self.task.classes) if self.task.kind == "multiclass" else 1

    @property
    def measured(self) -> np.ndarray:
        """Which training rows are validated on."""
        return self.folds < self.members


def prepare(table: Table, settings: Settings) -> Prepared:
    """Hold rows out, encode the others, and deal them to folds.

    What a column is, is told from all rows; levels, centres and scales are learnt from the training rows alone, because
    a held-out score that knew of the others would flatter.

    **Raises** `InputError` for a table, a target or settings that cannot be used.
    """
    from sklearn.model_selection import train_test_split  # a second to import

    features, target, dropped = split_target(table, settings.target)
    task = find_task(target)
    least = max(len(task.classes), 2)  # of every class one row, and of numbers two, that they can vary
    held = max(math.ceil(settings.hold_out * len(target)), least)
    if len(target) - held < least:
        raise InputError(f"{len(target):,} rows are too few to hold out {held:,} and learn from the others: "
                         "add rows, or hold out a smaller share")
    if settings.batch_size and settings.batch_size > len(target) - held:
        raise InputError(f"the batch size is {settings.batch_size:,}, but there are {len(target) - held:,} rows to "
                         f"learn from: choose at most that")
    labels = task.encode(target) if task.classes else None
    train_rows, test_rows = train_test_split(
        np.arange(len(target)), test_size=held, random_state=settings.seed, stratify=labels
    )
    encoder = Encoder().fit(features.iloc[train_rows], describe_columns(features))
    rows = encoder.transform(features.iloc[train_rows])
    targets, scale = task.encode(target.iloc[train_rows]), Scale()
    if task.kind == "regression":
        centre, unit = centre_and_unit(targets[:, None])
        scale = Scale(float(centre[0]), float(unit[0]))
        targets = ((targets - scale.centre) / scale.unit).astype(np.float32)
    members, folds = (FOLDS, FOLDS) if len(rows) <= LARGE else (1, 2 * FOLDS)
    held_out = features.iloc[test_rows]
    return Prepared(
        task, encoder, scale, rows, targets, _deal(targets, min(folds, len(rows)), task, settings.seed),
        min(members, len(rows)), held_out, encoder.transform(held_out), target.iloc[test_rows], dropped,
    )


def _deal(targets: np.ndarray, folds: int, task: Task, seed: int) -> np.ndarray:
    """The number of the fold that each row is in; every fold has its share of each class that has a row for each."""
    from sklearn.model_selection import KFold, StratifiedKFold  # a second to import

    stratified = task.classes and np.bincount(targets).min() >= folds
    dealer = (StratifiedKFold if stratified else KFold)(folds, shuffle=True, random_state=seed)
    fold_of = np.zeros(len(targets), np.int32)
    for number, (_, unseen) in enumerate(dealer.split(targets, targets)):
        fold_of[unseen] = number
    return fold_of
