"""Perceptrons on tables larger than memory: trained on `Blocks`, a window at a time, and predicting block by block."""

import time
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from descend._blocks.files import Blocks
from descend._blocks.shards import read_ahead
from descend._facts import Facts
from descend._tree import Tree
from descend.errors import InputError
from descend.neural._block_rows import BlockRows, Encode
from descend.neural._block_survey import BlockSurvey, survey
from descend.neural._estimator import MIN_HELD_OUT, NeuralEstimator
from descend.neural._hashed_rows import HashedRows, table_of
from descend.neural._network import scores_of
from descend.neural._objective import Validation
from descend.neural._seed import seed_of
from descend.neural._tabular import TabularNetwork
from descend.optimizers import as_optimizer, is_search
from descend.stopping import Plateau
from descend.training import Trainer


class NetworkOnBlocks(TabularNetwork):
    """A perceptron on rows of numbers, or on `Blocks` of a table; what it was fitted to, it predicts from.

    `_hashed`: how features of `Blocks` become inputs; None, where it was fitted to rows in memory.
    """

    _hashed: HashedRows | None = None

    def _learn_outputs(self, found: BlockSurvey) -> tuple[int, Encode]:
        """Learn what there is to predict; how many outputs that takes, and how targets become what is learnt from."""
        raise NotImplementedError

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Any:
        if not isinstance(X, Blocks):
            return super().fit(X, y, sample_weight, X_val=X_val, y_val=y_val)
        if any(given is not None for given in (y, sample_weight, X_val, y_val)):
            raise InputError("X is a file with a target, its rows have no weights, and some of them are held out: pass "
                             "it alone, fit(Blocks(…))")
        self._train(self._begun_on(X))
        return self

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        if isinstance(X, Blocks):
            if y is not None or sample_weight is not None:
                raise InputError("X is a file with a target: pass it alone, score(Blocks(…))")
            y = X.targets()
        return super().score(X, y, sample_weight)

    def _begun_on(self, blocks: Blocks) -> Trainer:
        """The training on a table, before its first step."""
        begin = time.perf_counter()
        self._check_settings()
        self._refuse(blocks)
        seed = seed_of(self.random_state, self.checkpoint)
        # 1. What is learnt from, and what it is judged by.
        found = survey(blocks, seed, self.validation_fraction, self._kind == "regression")
        outputs, encode = self._learn_outputs(found)
        self._learn_columns(found.rows)
        enough = len(found.y) >= max(MIN_HELD_OUT, len(found.labels))
        rows = BlockRows(found, found.held_out if enough else np.zeros(0, np.int64), encode)
        held_out = (found.rows.of(found.X), *encode(found.y)) if enough else None
        # 2. The network and its loss.
        start = self._network_to_train(None, outputs, seed)
        objective = self._objective(start, getattr(self, "label_smoothing", 0.0))
        # 3. The descent, whose time is counted from where `fit` began.
        prepared = time.perf_counter() - begin
        size = self._batch_size(len(rows)) if self.batch_size == "auto" else int(self.batch_size)
        trainer = Trainer.begin(
            objective, start.network, rows.source(size), state=start.state, ema=self.ema, seconds=self.seconds,
            seed=seed, optimizer=self.optimizer,
            epochs=self._usual_epochs(len(rows)) if self.epochs is None else self.epochs,
            stop=Plateau(self.patience) if enough else [],
            validation=None if held_out is None else Validation(self._kind, held_out, self._block),
            **self._seen_and_saved,
        )
        trainer.seconds += prepared
        return trainer

    def _refuse(self, blocks: Blocks) -> None:
        """Raises `InputError` for a table that is not to be learnt from as it is."""
        if blocks.target is None:
            raise InputError("the blocks have no target: a fit needs Blocks(path, target)")
        self._refuse_offset(blocks)
        if self.optimizer != "auto" and is_search(as_optimizer(self.optimizer)):
            raise InputError(f"{self.optimizer!r:.80} searches on all rows, of which a table larger than memory has a "
                             "window at a time: give a rule, such as Adam(0.001)")

    def _refuse_offset(self, blocks: Blocks) -> None:
        if blocks.offset is not None:
            raise InputError(f"the file has an offset, {blocks.offset!r}, which {type(self).__name__} does not know: "
                             "leave it out")

    def _learn_columns(self, rows: HashedRows) -> None:
        self._hashed, self.n_features_in_, self.mean_, self.scale_ = rows, rows.width, rows.mean, rows.scale
        # Hashed columns have none.
        self.__dict__.pop("feature_names_in_", None)

    def _inputs(self, X: Any, reset: bool) -> Tree:
        if isinstance(X, Blocks):
            raise InputError("X is a table in blocks, which are taken by fit, score and what predicts: give rows in "
                             "memory, as of for X, y in Blocks(…)")
        if reset:
            self.__dict__.pop("_hashed", None)
        if self._hashed is not None:
            raise InputError("X is in memory, and the fit was to Blocks: give Blocks here, too, which also take a "
                             "dataframe of the columns that the fit had")
        return super()._inputs(X, reset)

    def _scores(self, X: Any) -> np.ndarray:
        if not isinstance(X, Blocks):
            return super()._scores(X)
        check_is_fitted(self)
        if self._hashed is None:
            raise InputError("X is a table in blocks, and the fit was to rows in memory: give such")
        self._refuse_offset(X)
        table, rows = table_of(X), self._hashed
        rows.refuse_other(X, table)
        blocks = (block for shard in table.shards for block in shard.features())
        scores = [scores_of(self.network_, self.state_, rows.of(block), self._block) for block in read_ahead(blocks)]
        if not scores:
            raise InputError(f"{X.told} has no rows: give a file that has some")
        return np.concatenate(scores)

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        facts, arrays = super()._inputs_learnt()
        if self._hashed is None:
            return facts, arrays
        told, more = self._hashed.parts()
        return facts | {"blocks": told}, arrays | more

    def _inputs_in(self, told: Facts, arrays: dict[str, np.ndarray]) -> int:
        if not told.has("blocks"):
            return super()._inputs_in(told, arrays)
        return arrays["inputs/columns"].size if "inputs/columns" in arrays else 0

    def _take_inputs(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[Tree, int]:
        inputs = super()._take_inputs(told, arrays, outputs)
        if told.has("blocks"):
            width = int(self.n_features_in_)
            self._hashed = HashedRows.of_parts(told.inner("blocks"), arrays, width, self.mean_, self.scale_)
        return inputs

    def _drawn_rows(self) -> np.ndarray:
        # Hashed words are refused as all estimators of words do it.
        return super()._drawn_rows() if self._hashed is None else NeuralEstimator._drawn_rows(self)
