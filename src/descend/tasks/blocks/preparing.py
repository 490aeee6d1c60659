"""What is made ready of a table larger than memory: a look, what is held out, and what is learnt from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow

from descend.errors import InputError
from descend.tasks.blocks.files import GivenRows, SomeRows, TableFiles
from descend.tasks.blocks.looking import FirstLook, chosen_rows, identifiers, left_out, look_over, tally_of
from descend.tasks.blocks.prepared import BlocksPrepared, Looks, RowsOfFiles
from descend.tasks.blocks.progress import Looking
from descend.tasks.blocks.target import Codes
from descend.tasks.common.examples import Examples, Scale
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target


def prepare_blocks(files: TableFiles, settings: Settings, looks: Looks) -> BlocksPrepared:
    """Look a table over, and hold out some of its rows, or those of `--test`.

    **Raises** `InputError` for a table that nothing can be learnt from.
    """
    wanted = settings.target
    files.refuse_unknown([wanted, *settings.drop])
    if wanted in settings.drop:
        raise InputError(f"column {wanted!r} is given as --target and as --drop: it can be one of them")
    columns = tuple(name for name in files.schema.names if name not in settings.drop)
    share = settings.hold_out if settings.test is None and settings.hold_out else 0.0
    with Looking(looks("looking")) as seen:
        look = look_over(files, columns, wanted, settings.dividing_seed, share, seen)
    target = look.tally.target(settings.task)
    codes = look.tally.codes(target)
    alone = identifiers(look, tuple(name for name in columns if name != wanted))
    columns = tuple(name for name in columns if name not in alone)
    if columns == (wanted,):
        raise InputError(f"{files.name} has no column to predict {wanted!r} from; {left_out(alone)[0]}")
    features = [name for name in columns if name != wanted]
    compared, drawn = (_kept(lot.rows(look.schema), features, codes) for lot in (look.compared, look.held_out))
    training, centre = _training(look, codes, target, (compared, drawn), files=files, columns=columns)
    held_out = drawn if settings.test is None else _given_test(settings.test, files, columns, wanted, target)
    _refuse_few(files, target, training, held_out, compared)
    return BlocksPrepared(
        target, training, held_out, Scale(centre), look.rows - len(training) - len(compared) - len(drawn),
        compared=compared, whole=look.rows, notes=(files.told, *left_out(alone)), looks=looks,
    )


def _kept(rows: pyarrow.Table, features: Sequence[str], codes: Codes) -> Examples:
    """Of rows in memory, those that have a target."""
    targets = codes.of(rows.column(codes.name).combine_chunks())
    known = codes.known(targets)
    return Examples(GivenRows("rows", rows_given=rows.filter(pyarrow.array(known)).select(features)), targets[known])


def _training(
    look: FirstLook, codes: Codes, target: Target, kept: tuple[Examples, ...], **of: Any
) -> tuple[RowsOfFiles, float]:
    """The rows to learn from, which are all but those that are kept; and the mean of their targets."""
    tally, less = look.tally, np.concatenate([each.targets for each in kept])
    blocks = SomeRows(of["files"].source, codes.name, starts=look.starts, made=chosen_rows(look, codes), **of)
    if not target.classes:
        count = tally.rows - len(less)
        mean = (tally.total - float(less.sum())) / max(count, 1)
        return RowsOfFiles(blocks, np.zeros(0), count=count), mean
    each = np.array(list(tally.counts.values()), np.float64)
    known = codes.places >= 0
    length = len(target.classes)
    counts = np.bincount(codes.places[known], each[known], length) - np.bincount(less, minlength=length)
    return RowsOfFiles(blocks, np.arange(length, dtype=np.int32), (), counts, count=int(counts.sum())), 0.0


def _given_test(source: str, files: TableFiles, columns: tuple[str, ...], wanted: str, target: Target) -> Examples:
    """The rows of files to score on, which are read block by block, too.

    **Raises** `InputError` for files that lack columns, or have others than were learnt from.
    """
    test = TableFiles.of(source)
    test.refuse_unknown(columns)
    test.refuse_other_kinds(columns, files.schema)
    tally = tally_of(test, wanted)
    if unknown := tally.unknown(target):
        raise InputError(f"--test {source}: {wanted!r} is {unknown!r} in some rows, which is none of the classes")
    rows = SomeRows(source, wanted, files=test, columns=columns, made=tally.codes(target).rows_with_one)
    return Examples(rows, rows.targets())


def _refuse_few(files: TableFiles, target: Target, *parts: Examples) -> None:
    """Refuse rows of which some part has too few: numbers must be able to vary."""
    least = 1 if target.classes else 2
    if min(map(len, parts)) < least:
        told = ", ".join(f"{len(part):,} to {what}" for part, what in zip(parts, ("learn from", "score on", "compare "
                         "models on"), strict=True))
        raise InputError(f"{files.name} has too few rows: {told}; add more, or hold out another share")
