"""The task that a table is."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from descend.tasks.common.reading import Table
    from descend.tasks.common.settings import Settings
    from descend.tasks.common.task import Task


def task_of_table(table: "Table", settings: "Settings") -> "Task":
    """The task of a table: of texts, where it has nothing else to learn from, and nobody asks for another model, or for
    groups or times to be kept apart, which the network of texts does not validate by."""
    from descend.tasks.common.settings import AUTO
    from descend.tasks.common.typed_table import type_table
    from descend.tasks.text.texts import is_of_texts

    typed = type_table(table, settings)
    if settings.model == AUTO and settings.group is None and settings.time is None and is_of_texts(typed):
        # Networks of texts take a second to import.
        from descend.tasks.text.task import text_task

        return text_task(typed, settings)
    from descend.tasks.table.task import TableTask

    return TableTask(typed, settings)
