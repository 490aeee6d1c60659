"""What a sweep tries settings of: the task that a source is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from descend.errors import InputError
from descend.tasks.common.settings import AUTO, settings_of
from descend.tasks.sweep.axes import Axis

if TYPE_CHECKING:
    from descend.tasks.common.swept import SweptTask

# Of a table, where nobody says.
USUAL_MODEL = "mlp"


def task_to_sweep(
    source: str, axes: Sequence[Axis], *, target: str | None = None, hold_out: float | None = None,
    test: str | None = None, skip_damaged: bool = False, model: str | None = None, seed: int | None = None,
    **others: Any,
) -> "SweptTask[Any, Any]":
    """What all trials learn. `others`: all else that is settled for them, by the names of `Settings`.

    **Raises** `InputError` for a source that cannot be used, and for settings that it has not.
    """
    _refuse_twice(axes, {**others, "model": model, "seed": seed})
    from descend.tasks.common.asked import of_words
    from descend.tasks.common.reading import read_table
    from descend.tasks.images.labels import LABEL_COLUMN
    from descend.tasks.images.pictures import CLASS, has_pictures, labelled_by, read_collection
    from descend.tasks.of_pictures import task_of_pictures
    from descend.tasks.of_table import task_of_table, untold_target
    from descend.tasks.table.registry import refuse_unknown_model
    from descend.tasks.table.task import TableTask

    refuse_unknown_model(model or AUTO)
    settings = settings_of(CLASS if target is None else target, hold_out, test, model=model or AUTO, seed=seed or 0,
                           **others)
    if has_pictures(source):
        if target is not None:
            raise InputError(f"--target is for tables: the pictures in {source} have their classes already")
        return task_of_pictures(read_collection(source, skip_damaged), settings, hold_out)
    table = read_table(source, of_words(settings.column))
    if target is None or target.casefold() == LABEL_COLUMN:
        pictures = labelled_by(table, source, skip_damaged)
        if pictures is not None:
            return task_of_pictures(pictures, settings, hold_out)
    if skip_damaged:
        raise InputError(f"--skip-damaged is for pictures, and {table.name} is a table without them")
    if target is None:
        raise untold_target(table)
    usual = replace(settings, model=USUAL_MODEL)
    # With a model that is tables', texts are a column of a table like others.
    task = task_of_table(table, usual if any(axis.name == "model" for axis in axes) else settings)
    return task.settled(usual) if model is None and isinstance(task, TableTask) else task


def _refuse_twice(axes: Sequence[Axis], settled: dict[str, Any]) -> None:
    """Refuse what varies, and is settled for all trials as well.

    **Raises** `InputError`.
    """
    for axis in axes:
        if settled.get(axis.name) is not None:
            raise InputError(f"--{axis.name.replace('_', '-')} and --over {axis.name} settle the same: give one of "
                             "them")
