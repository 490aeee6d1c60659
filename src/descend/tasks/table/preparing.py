"""A table made ready for training: rows held out, the others encoded and dealt to folds."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from descend._scaling import centre_and_unit
from descend.errors import InputError
from descend.tasks.common.choosing.measures import refuse_other_metric
from descend.tasks.common.dividing import divide
from descend.tasks.common.examples import Examples, Prepared, Scale, refuse_large_batch
from descend.tasks.common.fitted import Predictor
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.common.typed_rows import TypedRows
from descend.tasks.common.typed_table import TypedTable
from descend.tasks.common.weighing import Weights
from descend.tasks.table.encoding import Encoder


@dataclass(frozen=True)
class TablePrepared(Prepared):
    """A table made ready: the inputs are encoded rows, and each training row is in a fold.

    - `encoder`: made the rows.
    - `folds`: the number of the fold that each training row is in.
    - `members`: how many folds are validated on, the first ones, each by a model that is trained without it.
    - `validated_on`: these folds, in words.
    - `notes`: how rows were held out and weighed, in sentences, if not by chance and alike.
    """

    encoder: Encoder = field(kw_only=True)
    folds: np.ndarray = field(kw_only=True)
    members: int = field(kw_only=True)
    validated_on: str = field(kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def validated(self) -> np.ndarray:
        """Which training rows are validated on."""
        return self.folds < self.members

    @property
    def validated_weights(self) -> np.ndarray | None:
        """How much those count; `None` where all rows count alike."""
        weights = self.training.weights
        return None if weights is None else weights[self.validated]

    def out_of_fold(self, fit: Callable[[Examples], Predictor]) -> np.ndarray:
        """Predictions of the rows that are validated on, each by a model that `fit` made of the other folds' rows."""
        where, found = [], []
        for number in range(self.members):
            unseen = np.flatnonzero(self.folds == number)
            others = self.training.chosen(np.flatnonzero(self.folds != number))
            where.append(unseen)
            found.append(fit(others).predict(self.training.inputs[unseen]))
        # They were found fold by fold, and are wanted in the order of the rows.
        order = np.argsort(np.concatenate(where))
        return np.concatenate(found)[order]


def prepare_table(table: TypedTable, settings: Settings) -> TablePrepared:
    """Hold rows out, encode the others, and deal them to folds.

    What a column is was told from all rows; levels, centres and scales are learnt from the training rows alone, because
    a held-out score that knew of the others would flatter.

    **Raises** `InputError` for a table or settings that cannot be used.
    """
    division = divide(table, settings)
    target, learnt = division.target, division.training
    refuse_other_metric(settings, target)
    refuse_large_batch(settings, len(learnt), "rows")
    weights = Weights(learnt, target, settings)
    encoder = Encoder().fit(learnt.features, table.columns)
    targets, scale = _scaled(target.encode(learnt.values), target, weights.of(learnt))
    return TablePrepared(
        target,
        Examples(encoder.transform(learnt.features), targets, weights=weights.of(learnt)),
        _held_out(encoder, division.held_out, target, weights.of(division.held_out), settings),
        scale,
        table.dropped,
        encoder=encoder,
        folds=division.folds.numbers,
        members=division.folds.members,
        validated_on=division.folds.where,
        notes=(*division.notes, *weights.notes),
    )


def _held_out(
    encoder: Encoder, rows: TypedRows, target: Target, weights: np.ndarray | None, settings: Settings
) -> Examples:
    """The held-out rows; what another table has that cannot be read, is told to be its."""
    try:
        return Examples(encoder.transform(rows.features), target.encode(rows.values), weights=weights)
    except InputError as error:
        raise error if settings.test is None else InputError(f"--test {settings.test}: {error}") from None


def _scaled(targets: np.ndarray, target: Target, weights: np.ndarray | None = None) -> tuple[np.ndarray, Scale]:
    """The targets as models learn them: numbers centred and in units of their spread; and where and which those are."""
    if target.kind != "regression":
        return targets, Scale()
    centre, unit = centre_and_unit(targets[:, None], weights)
    scale = Scale(float(centre[0]), float(unit[0]))
    return ((targets - scale.centre) / scale.unit).astype(np.float32), scale
