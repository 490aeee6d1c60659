"""The model of a table larger than memory: it predicts block by block from files with the same columns."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow
from pyarrow import types

from descend._blocks.hashing import Encoding
from descend._blocks.shards import read_ahead
from descend._facts import Facts
from descend.errors import CheckpointError, InputError
from descend.tasks.blocks.files import GivenRows, TableFiles, batches_in
from descend.tasks.blocks.looking import BLOCK
from descend.tasks.blocks.predictor import LINEAR, PERCEPTRON, OnBlocks
from descend.tasks.common.fitted import Predictor
from descend.tasks.common.patterns import paths_of
from descend.tasks.common.predicting import Predictions, free_end, told
from descend.tasks.common.sources import are_too_large, how_large
from descend.tasks.common.target import Target, target_of_file

BLOCKS_VERSION = 1


@dataclass(frozen=True)
class BlocksModel:
    """What predicts, and from which columns: those of `numbers` and those of `words`."""

    predictor: Predictor
    target: Target
    numbers: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What the file calls it."""
        return "blocks"

    def describe(self) -> str:
        """What it is, in a few words."""
        return self.predictor.describe()

    def predict(self, inputs: Any) -> np.ndarray:
        """The predictions for `Blocks` of its columns: numbers, or a probability for each class."""
        return self.predictor.predict(inputs)

    def as_estimator(self) -> Any:
        """The estimator, which takes `descend.linear.Blocks`."""
        return self.predictor.named() if isinstance(self.predictor, OnBlocks) else self.predictor

    def predictions(self, source: str, interval: float | None = None) -> Predictions:
        """What it says of all rows of files, in memory.

        **Raises** as `blocks` does, and for files that are larger than memory.
        """
        if are_too_large(paths := paths_of(source)):
            raise InputError(f"{source!r} {how_large(paths)}: write to a .parquet or .csv file, which is done block by "
                             "block")
        parts = list(self.blocks(source, interval))
        return Predictions(pyarrow.Table.from_batches([batch for batch, _ in parts]).to_pandas(), parts[0][1])

    def blocks(self, source: str, interval: float | None = None) -> Iterator[tuple[pyarrow.RecordBatch, str]]:
        """Blocks of the rows of files, with the predictions beside their columns, and how the first of these is called.

        **Raises** `InputError` for files that lack columns, or hold what the model cannot read; and for an interval,
        which such models do not know.
        """
        if interval is not None:
            raise InputError("intervals are for models of tables in memory, and this one was fitted block by block: "
                             "leave them out")
        files = TableFiles.of(source)
        self._refuse_other(files)
        encoding = Encoding(None, 1, BLOCK, None)
        end = free_end(files.schema.names, self._columns(np.zeros((0, len(self.target.classes)))))
        is_empty = True
        for shard in files.shards(encoding, files.schema.names, least=1):
            for batch in read_ahead(batches_in(shard)):
                is_empty = False
                yield self._beside(batch, end), f"prediction{end}"
        if is_empty:
            raise InputError(f"{source!r} has no rows: there is nothing to predict")

    def _beside(self, batch: pyarrow.RecordBatch, end: str) -> pyarrow.RecordBatch:
        rows = pyarrow.Table.from_batches([batch.select([*self.numbers, *self.words])])
        columns = self._columns(self.predict(GivenRows("rows", rows_given=rows)))
        batch = pyarrow.RecordBatch.from_arrays(list(map(_plain, batch.columns)), batch.schema.names)
        for name, values in columns.items():
            batch = batch.append_column(name + end, pyarrow.array(values))
        return batch

    def _columns(self, values: np.ndarray) -> dict[str, np.ndarray]:
        return told(values, self.target.classes) if self.target.classes else {"prediction": values}

    def _refuse_other(self, files: TableFiles) -> None:
        """Refuse files that lack columns, or have words where numbers were learnt from, or the other way round."""
        files.refuse_unknown([*self.numbers, *self.words])
        kinds = dict.fromkeys(self.numbers, pyarrow.float64()) | dict.fromkeys(self.words, pyarrow.string())
        files.refuse_other_kinds(list(kinds), pyarrow.schema(kinds))

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name."""
        facts, arrays = self.predictor.to_parts()
        return {"version": BLOCKS_VERSION, "kind": self.kind, "model": self.predictor.kind, "fitted": facts,
                "task": asdict(self.target), "numbers": list(self.numbers), "words": list(self.words)}, arrays

    @classmethod
    def from_parts(cls, told: Facts, arrays: dict[str, np.ndarray]) -> "BlocksModel":
        """The model that `to_parts` took apart.

        **Raises** `CheckpointError` if it is something else.
        """
        if told.any("version") != BLOCKS_VERSION:
            raise CheckpointError(f"{told.where} was written by another version of descend: train again with "
                                  "`descend fit`")
        target = target_of_file(told.inner("task"))
        kind = told.choice("model", (LINEAR, PERCEPTRON))
        predictor = OnBlocks.from_parts(kind, told.inner("fitted"), arrays, target)
        return cls(predictor, target, tuple(told.texts("numbers")), tuple(told.texts("words")))


def _plain(column: pyarrow.Array) -> pyarrow.Array:
    """A column without a dictionary of its words, which may be another one in each block."""
    return column.dictionary_decode() if types.is_dictionary(column.type) else column
