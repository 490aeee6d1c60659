"""A table made ready for training: rows held out, the others encoded and dealt to folds."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from descend._scaling import centre_and_unit
from descend.tasks.common.examples import Examples, Prepared, Scale, hold_out, refuse_large_batch
from descend.tasks.common.fitted import Predictor
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.common.typed_table import TypedTable
from descend.tasks.table.encoding import Encoder

# Above so many rows, one member that is validated on a tenth of them tells enough, and is trained sooner than five.
FOLDS, LARGE_TABLE = 5, 20_000


@dataclass(frozen=True)
class TablePrepared(Prepared):
    """A table made ready: the inputs are encoded rows, and each training row is in a fold.

    - `encoder`: made the rows.
    - `folds`: the number of the fold that each training row is in.
    - `members`: how many folds are validated on, the first ones, each by a model that is trained without it.
    """

    encoder: Encoder = field(kw_only=True)
    folds: np.ndarray = field(kw_only=True)
    members: int = field(kw_only=True)

    @property
    def validated(self) -> np.ndarray:
        """Which training rows are validated on."""
        return self.folds < self.members

    def out_of_fold(self, fit: Callable[[np.ndarray, np.ndarray], Predictor]) -> np.ndarray:
        """Predictions of the rows that are validated on, each by a model that `fit` made of the other folds' rows."""
        rows, targets = self.training.inputs, self.training.targets
        where, found = [], []
        for number in range(self.members):
            unseen = self.folds == number
            where.append(np.flatnonzero(unseen))
            found.append(fit(rows[~unseen], targets[~unseen]).predict(rows[unseen]))
        # They were found fold by fold, and are wanted in the order of the rows.
        order = np.argsort(np.concatenate(where))
        return np.concatenate(found)[order]


def prepare_table(table: TypedTable, settings: Settings) -> TablePrepared:
    """Hold rows out, encode the others, and deal them to folds.

    What a column is was told from all rows; levels, centres and scales are learnt from the training rows alone, because
    a held-out score that knew of the others would flatter.

    **Raises** `InputError` for a table or settings that cannot be used.
    """
    target, values = table.target, table.values
    labels = target.encode(values) if target.classes else None
    train_rows, test_rows = hold_out(len(values), target, labels, settings, "rows")
    refuse_large_batch(settings, len(train_rows), "rows")
    encoder = Encoder().fit(table.features.iloc[train_rows], table.columns)
    rows = encoder.transform(table.features.iloc[train_rows])
    targets, scale = target.encode(values.iloc[train_rows]), Scale()
    if target.kind == "regression":
        centre, unit = centre_and_unit(targets[:, None])
        scale = Scale(float(centre[0]), float(unit[0]))
        targets = ((targets - scale.centre) / scale.unit).astype(np.float32)
    members, folds = (FOLDS, FOLDS) if len(rows) <= LARGE_TABLE else (1, 2 * FOLDS)
    held_out = encoder.transform(table.features.iloc[test_rows])
    return TablePrepared(
        target,
        Examples(rows, targets),
        Examples(held_out, target.encode(values.iloc[test_rows])),
        scale,
        table.dropped,
        encoder=encoder,
        folds=_deal(targets, min(folds, len(rows)), target, settings.seed),
        members=min(members, len(rows)),
    )


def _deal(targets: np.ndarray, folds: int, target: Target, seed: int) -> np.ndarray:
    """The number of the fold that each row is in; every fold has its share of each class that has a row for each."""
    # scikit-learn takes a second to import.
    from sklearn.model_selection import KFold, StratifiedKFold

    # StratifiedKFold warns of a class with fewer rows than folds, and refuses where all classes are so small.
    stratified = target.classes and np.bincount(targets).min() >= folds
    dealer = (StratifiedKFold if stratified else KFold)(folds, shuffle=True, random_state=seed)
    fold_of = np.zeros(len(targets), np.int32)
    for number, (_, unseen) in enumerate(dealer.split(targets, targets)):
        fold_of[unseen] = number
    return fold_of
