"""The task that a table is."""

from typing import TYPE_CHECKING

from descend.errors import InputError

if TYPE_CHECKING:
    from descend.tasks.common.reading import Table
    from descend.tasks.common.settings import Settings
    from descend.tasks.table.task import TableTask
    from descend.tasks.text.task import TextTask


def task_of_table(table: "Table", settings: "Settings") -> "TableTask | TextTask":
    """The task of a table: of texts, where it has nothing else to learn from, and nobody asks for another model, or for
    groups or times to be kept apart, which the network of texts does not validate by.

    **Raises** `InputError` for what only other tables have.
    """
    from descend.tasks.common.settings import AUTO
    from descend.tasks.common.typed_table import type_table
    from descend.tasks.text.texts import is_of_texts

    typed = type_table(table, settings)
    if settings.model == AUTO and settings.group is None and settings.time is None and is_of_texts(typed):
        # Networks of texts take a second to import.
        from descend.tasks.text.task import text_task

        for name in ("metric", "fast", "best", "hidden_layers", "width"):
            if getattr(settings, name):
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is for tables with more than texts, and {typed.name} has texts alone")
        return text_task(typed, settings)
    from descend.tasks.table.task import TableTask

    return TableTask(typed, settings)


def untold_target(table: "Table") -> InputError:
    """What to say where nobody said which column to predict."""
    names = [str(name) for name in table.frame.columns]
    columns = ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")
    return InputError(f"{table.name} is a table: say with --target which column to predict, one of {columns}")
