"""Stored models, of whatever kind of task."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from descend._facts import Facts
from descend._saved import ESTIMATOR, MODEL_FILE, file_of, read_file
from descend.errors import CheckpointError
from descend.tasks.common.folder import read_model
from descend.tasks.common.predicting import Predictions

if TYPE_CHECKING:
    from pyarrow import RecordBatch

# Where the estimators are that a file may name, each imported only if it is in none of those before.
HOMES = ("descend.linear", "descend.neural", "descend.tasks.table.estimators", "descend.tasks.images.estimators")
# What the file of a model of tables larger than memory calls its kind.
IN_BLOCKS = "blocks"


@runtime_checkable
class Streaming(Protocol):
    """A model of tables larger than memory."""

    def blocks(self, source: str, interval: float | None = None) -> Iterator[tuple["RecordBatch", str]]:
        """What it says of files, block by block, beside their columns; and how the column of predictions is called.

        **Raises** as `Model.predictions` does.
        """


@runtime_checkable
class Model(Protocol):
    """A model that was fitted, and says something of what it is given."""

    def predictions(self, source: str, interval: float | None = None) -> Predictions:
        """What it says of all that a file or a folder has; with `interval`, such as 0.9, also between what the truth is
        with this probability.

        **Raises** `InputError` if the source is damaged, or not of the kind that the model was trained on; and where
        the model has no intervals.
        """

    def as_estimator(self) -> Any:
        """The same with the face of scikit-learn."""


def stored_model(path: Path) -> Model:
    """The model of a run's folder. Nothing in it is executed, and it is of a kind that is known here, or refused.

    **Raises** `InputError` if there is no such folder or no model in it, `CheckpointError` if the model is damaged, or
    of an unknown kind or version.
    """
    arrays, facts = read_model(path)
    told = Facts(facts, str(path / MODEL_FILE))
    # Networks take a second to import, and tables have no need of them.
    if facts.get("kind") == "pictures":
        from descend.tasks.images.model import ImageModel

        return ImageModel.from_parts(told, arrays)
    if facts.get("kind") == "texts":
        from descend.tasks.text.model import TextModel

        return TextModel.from_parts(told, arrays)
    if facts.get("kind") == IN_BLOCKS:
        from descend.tasks.blocks.model import BlocksModel

        return BlocksModel.from_parts(told, arrays)
    from descend.tasks.table.model import TableModel

    return TableModel.from_parts(told, arrays)


def load_model(path: str | Path) -> Any:
    """The model in the folder of a run, or in a file or a folder that an estimator's `save` wrote.

    It has the face of scikit-learn. Of a table's run it is a `descend.TableClassifier` or a `descend.TableRegressor`,
    which takes frames; of one larger than memory the estimator that was fitted, which takes `descend.linear.Blocks`; of
    pictures a `descend.neural.ConvClassifier`, or what tells them by a kernel or a blend, which
    take arrays of the size that they tell of; of texts an estimator that predicts, and is not fitted. Classes are
    called what the run called them, as text. Of `descend lm` it is a `descend.neural.LanguageModel`. Nothing in the
    file is executed: it holds numbers and JSON.

    >>> import descend, tempfile
    >>> from descend.linear import Ridge
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Ridge(alpha=0.5).fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).save(f"{folder}/line.safetensors")
    ...     descend.load_model(f"{folder}/line.safetensors")
    Ridge(alpha=0.5)

    **Raises** `InputError` if there is no model, `CheckpointError` if it is damaged, or of an unknown kind or version.
    """
    path = Path(path)
    told = _told(path)
    kind = told.any("kind") if told.has("kind") else "policy" if told.has("policy") else None
    if kind == "policy":
        from descend.rl import Policy

        return Policy.load(file_of(path))
    if kind == "language model":
        from descend.neural import LanguageModel

        return LanguageModel.load(path)
    if kind == ESTIMATOR or told.has(ESTIMATOR):
        return _estimators(told.inner(ESTIMATOR).text("class"), told.where).load(path)
    return stored_model(path).as_estimator()


def is_in_blocks(path: Path) -> bool:
    """Whether the model of a run is one of a table larger than memory.

    **Raises** as `load_model` does.
    """
    told = _told(path)
    return bool(told.has("kind") and told.any("kind") == IN_BLOCKS)


def _told(path: Path) -> Facts:
    """What a file tells of itself."""
    if file_of(path) == path:
        return read_file(path)[1]
    return Facts(read_model(path)[1], str(file_of(path)))


def _estimators(name: str, where: str) -> Any:
    """The class of an estimator, by its name. A file never brings code along.

    **Raises** `CheckpointError` if there is none.
    """
    for home in HOMES:
        module = import_module(home)
        if name in module.__all__ and hasattr(getattr(module, name), "load"):
            return getattr(module, name)
    raise CheckpointError(f"{where} has an estimator {name:.40}, of which descend has none: load it by the class that "
                          "saved it")
