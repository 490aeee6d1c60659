"""A table made ready for training: rows held out, the others encoded and dealt to folds."""

from dataclasses import dataclass, field

import numpy as np

from descend._scaling import centre_and_unit
from descend.errors import InputError
from descend.tasks.common.choosing.measures import refuse_other_metric
from descend.tasks.common.columns import listing
from descend.tasks.common.dividing import FOLDS, Folds, divide
from descend.tasks.common.examples import Examples, Scale, refuse_large_batch
from descend.tasks.common.folded import Folded
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.common.typed_rows import TypedRows
from descend.tasks.common.typed_table import TypedTable
from descend.tasks.common.weighing import Weights
from descend.tasks.table.encoding import Encoder

# Of more classes, those of which levels are told the share: a feature each.
MANY_CLASSES = 30


@dataclass(frozen=True)
class TablePrepared(Folded):
    """A table made ready: the inputs are encoded rows, and each training row is in a fold.

    - `encoder`: made the rows.
    - `notes`: how rows were held out and weighed, in sentences, if not by chance and alike; and of which categories
      levels are known by their mean target.
    """

    encoder: Encoder = field(kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)


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
    encoder, answers = Encoder(), target.encode(learnt.values)
    known = encoder.fit_transform(learnt.features, table.columns, _in_columns(answers, target),
                                  _told_apart(division.folds, settings.dividing_seed), weights.of(learnt))
    targets, scale = _scaled(answers, target, weights.of(learnt))
    return TablePrepared(
        target,
        Examples(known, targets, weights=weights.of(learnt)),
        _held_out(encoder, division.held_out, target, weights.of(division.held_out), settings),
        scale,
        table.dropped,
        encoder=encoder,
        folds=division.folds.numbers,
        members=division.folds.members,
        validated_on=division.folds.where,
        notes=(*division.notes, *weights.notes, *_known_levels(encoder)),
    )


def _known_levels(encoder: Encoder) -> tuple[str, ...]:
    """Of which categories levels are known by their mean target."""
    if not encoder.crowded:
        return ()
    return (f"{listing(encoder.crowded)}: levels that are not told apart are known by the mean target of their rows",)


def _in_columns(answers: np.ndarray, target: Target) -> np.ndarray:
    """Numbers, or whether a row is of the second of two classes, or of each; of many, of each of the commonest."""
    if target.kind != "multiclass":
        return answers[:, None].astype(np.float64)
    commonest = np.argsort(-np.bincount(answers, minlength=len(target.classes)), kind="stable")[:MANY_CLASSES]
    return (answers[:, None] == np.sort(commonest)).astype(np.float64)


def _told_apart(folds: Folds, seed: int) -> np.ndarray:
    """The part of each row, of which nothing is learnt for it: its fold, or where there are but two, as of times, a
    part of the greater one.
    """
    if folds.numbers.max() > 1:
        return folds.numbers
    parts = np.random.default_rng(seed).permutation(len(folds.numbers)) % FOLDS
    return np.where(folds.numbers == 0, 0, 1 + parts)


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
