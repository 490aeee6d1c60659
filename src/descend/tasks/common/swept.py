"""Tasks whose settings a sweep may try."""

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from descend.tasks.common.settings import Settings
from descend.tasks.common.task import P, R, Task

if TYPE_CHECKING:
    from descend.tasks.common.choosing.lanes import Trainable


class SweptTask(Task[P, R]):
    """A task of which one model is trained, as far as a share of its training at a time.

        tried = task.settled(settings)                       the same with other settings
        prepared = tried.again(prepared)                     nothing is divided or encoded twice
        trained = tried.tried(prepared).fit(prepared, ...)   as far as `TrainingContext.share`, from its checkpoint
    """

    def settled(self, settings: Settings) -> "SweptTask[P, R]":
        """The same task with other settings."""
        changed: Any = replace(self, settings=settings)  # type: ignore[type-var]  # all tasks are dataclasses
        return changed

    @abstractmethod
    def again(self, prepared: P) -> P:
        """What the same task with other settings has prepared, ready for these; they divide the examples alike."""

    @abstractmethod
    def tried(self, prepared: P) -> "Trainable[P]":
        """The model that these settings ask for.

        **Raises** `InputError` where they ask for none, for several, or for what such a task has not.
        """
