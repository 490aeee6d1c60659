"""The task that pictures are."""

from typing import TYPE_CHECKING

from descend.errors import InputError
from descend.tasks.common.settings import AUTO

if TYPE_CHECKING:
    from pathlib import Path

    from descend.tasks.common.network.collection import Collection
    from descend.tasks.common.settings import Settings
    from descend.tasks.images.task import ImageTask


def task_of_pictures(
    collection: "Collection", settings: "Settings", hold_out: float | None, start: "Path | None" = None
) -> "ImageTask":
    """The task of pictures. `hold_out`: the share that somebody said; `start`: weights to start from.

    **Raises** `InputError` for what only tables have.
    """
    # Networks of pictures take a second to import.
    from descend.neural.starting import Start
    from descend.tasks.images.task import ImageTask

    if settings.model != AUTO:
        raise InputError(f"--model {settings.model} is for tables: pictures have a network of their own")
    for name in ("weights", "class_weights", "test", "group", "time", "metric", "fast", "best", "hidden_layers",
                 "width"):
        if getattr(settings, name):
            raise InputError(f"--{name.replace('_', '-')} is for tables, and {collection.name} has pictures")
    if collection.test is not None and hold_out is not None:
        raise InputError(f"--hold-out is for what is not divided yet: {collection.name} has its own test set")
    return ImageTask(collection, settings, None if start is None else Start.read(start))
