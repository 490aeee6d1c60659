"""Stored models, of whatever kind of task."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from descend._facts import Facts
from descend.tasks.common.folder import MODEL_FILE, read_model
from descend.tasks.common.predicting import Predictions


@runtime_checkable
class Model(Protocol):
    """A model that was fitted, and says something of what it is given."""

    def predictions(self, source: str, interval: float | None = None) -> Predictions:
        """What it says of all that a file or a folder has; with `interval`, such as 0.9, also between what the truth is
        with this probability.

        **Raises** `InputError` if the source is damaged, or not of the kind that the model was trained on; and where
        the model has no intervals.
        """


def load_model(path: Path) -> Model:
    """The model of a run's folder. Nothing in it is executed, and it is of a kind that is known here, or refused.

    **Raises** `InputError` if there is no such folder or no model in it, `CheckpointError` if the model is damaged, or
    of an unknown kind or version.
    """
    arrays, facts = read_model(path)
    told = Facts(facts, str(path / MODEL_FILE))
    # Networks take a second to import, and tables have no need of them.
    if facts.get("kind") == "pictures":
        from descend.tasks.images.task import ImageModel

        return ImageModel.from_parts(told, arrays)
    if facts.get("kind") == "texts":
        from descend.tasks.text.task import TextModel

        return TextModel.from_parts(told, arrays)
    from descend.tasks.table.model import TableModel

    return TableModel.from_parts(told, arrays)
