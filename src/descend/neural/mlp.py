"""Multi-layer perceptrons for tables of numbers, with the faces of scikit-learn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from descend._sample_weight import checked_weights
from descend.engine.trainer import Checkpoint
from descend.neural._block_rows import Encode
from descend.neural._block_survey import BlockSurvey
from descend.neural._classifier import NeuralClassifier
from descend.neural._on_blocks import NetworkOnBlocks
from descend.neural._regressor import NeuralRegressor
from descend.neural._tabular import TabularNetwork
from descend.observers import Observer


class MLPClassifier(NetworkOnBlocks, NeuralClassifier, TabularNetwork):
    """A multi-layer perceptron that tells classes apart, trained to lower the cross-entropy.

    Columns may have any units, and `X` may be sparse: its columns are divided by their largest absolute value, and the
    others centred and divided by their spread. `y` may have a column of 0 and 1 for each of several labels.
    `descend.neural` says what the settings and attributes are that all estimators share. Here are also:

    - `hidden_layer_sizes`: the width of a hidden layer, or those of several; (256, 128) by default;
    - `activation`: theirs, "relu" by default, "tanh", "logistic", "gelu", "identity";
    - `dropout`: the share of each that is left out at random in training; none by default;
    - `alpha`: of a penalty α/(2 n) ‖W‖² on the squares of all matrices, in a batch of n rows; 0 by default, as "auto"
      forgets weights by itself. A number is part of the compiled program, and another one is compiled anew;
    - `coefs_`, `intercepts_`: the layers as scikit-learn has them, for columns and targets in their own units;
      `n_layers_`, `n_outputs_`, `out_activation_`.

    A table larger than memory is `fit(Blocks("data/*.parquet", target="late"))`, with `descend.linear.Blocks`;
    `predict`, `predict_proba` and `score` then take `Blocks`, too. Numbers are centred and scaled; a missing one is
    their mean, and a level of its own. Each level of a category that was seen is an input, so the first of `coefs_` has
    a row for each of these. One look is taken over the table; then rows are read and shuffled by windows of 64 MiB, of
    which there are two in memory. Held out for validation are `validation_fraction` of the rows, and at most 65,536.

    Where nobody says how long to train (no `epochs`, no `seconds`, `optimizer="auto"`), it is 50 epochs, and at least a
    thousand steps. Of 50 to 2,000 rows a fifth then says how far to go, and all are trained on: courses of fewer steps
    at lower rates are compared, so that a noisy table is not learnt by heart. With `validation_fraction=0` none is.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(hidden_layer_sizes=(16,), epochs=30, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9), model.stop_reason_.name
    (True, 'budget')

    >>> import pathlib, tempfile
    >>> from descend import Adam
    >>> from descend.linear import Blocks
    >>> path = pathlib.Path(tempfile.mkdtemp(), "late.csv")
    >>> _ = path.write_text("city,distance,late\\n" + "Rome,0.4,1\\nOslo,0.1,0\\n" * 50)
    >>> model = MLPClassifier((4,), optimizer=Adam(0.05), epochs=20, random_state=0).fit(Blocks(path, "late"))
    >>> model.score(Blocks(path, "late"))
    1.0

    **Raises** `InputError` for settings that mean nothing, and scikit-learn's `ValueError` for data that are no table.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (256, 128),
        activation: str = "relu",
        *,
        dropout: float = 0.0,
        alpha: float = 0.0,
        optimizer: Any = "auto",
        batch_size: int | str = "auto",
        epochs: float | None = None,
        seconds: float | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int = 10,
        ema: float | None = None,
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.alpha = alpha
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.epochs = epochs
        self.seconds = seconds
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.ema = ema
        self.precision = precision
        self.random_state = random_state
        self.warm_start = warm_start
        self.observers = observers
        self.checkpoint = checkpoint

    @property
    def out_activation_(self) -> str:
        """What makes probabilities of the outputs: "softmax", or "logistic" of each for two classes and for labels."""
        return "softmax" if not self._of_labels and len(self.classes_) > 2 else "logistic"

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "MLPClassifier":
        """Pass once over more rows; the first call needs all `classes` there will be, if `y` has not all of them.

        Columns are in units of the first call's rows. Steps are those of `optimizer`, which "auto" takes to be
        `Adam(0.001)`: nothing is tried, held out or stopped. After a `fit`, it goes on with that network.

        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(640, 2))
        >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
        >>> model = MLPClassifier(random_state=0)
        >>> for _ in range(15):
        ...     model = model.partial_fit(X, y, classes=["other", "same"])
        >>> model.n_iter_, model.score(X, y) > 0.9
        (15, True)
        """
        self._check_settings()
        is_first = not hasattr(self, "network_")
        inputs = self._inputs(X, reset=is_first)
        y = self._targets(X, y)
        if is_first:
            self._learn_classes(y if classes is None or y.ndim == 2 else np.asarray(classes))
        examples = inputs, self._numbers(y, "y", "classes"), self._weights(y, sample_weight)
        self._pass_once(examples, len(self.classes_), self.label_smoothing)
        return self

    def _learn_outputs(self, found: BlockSurvey) -> tuple[int, Encode]:
        self._learn_classes(found.labels)
        weights = None if self.class_weight is None else self._weights(found.labels, found.counts)
        if weights is None:
            return len(self.classes_), lambda y: (self._numbers(y, "the target", "the fit"), None)
        # Of one row, so that the mean over all is one.
        each = (weights / found.counts / weights.sum() * found.counts.sum()).astype(np.float32)

        def encode(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            places = self._numbers(y, "the target", "the fit")
            return places, each[places]

        return len(self.classes_), encode

    def _last_layer(self, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # The softmax of two is the logistic of their difference.
        return (W[:, 1:] - W[:, :1], b[1:] - b[:1]) if b.size == 2 and not self._of_labels else (W, b)


class MLPRegressor(NetworkOnBlocks, NeuralRegressor, TabularNetwork):
    """A multi-layer perceptron that predicts numbers, one or several, trained to lower the squared error.

    Columns and targets may have any units, and `X` may be sparse. Settings and attributes are those of `MLPClassifier`,
    but for those that speak of classes.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor(hidden_layer_sizes=(16,), random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.4)
    True

    **Raises** `InputError` for settings that mean nothing, and scikit-learn's `ValueError` for data that are no table.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (256, 128),
        activation: str = "relu",
        *,
        dropout: float = 0.0,
        alpha: float = 0.0,
        optimizer: Any = "auto",
        batch_size: int | str = "auto",
        epochs: float | None = None,
        seconds: float | None = None,
        validation_fraction: float = 0.1,
        patience: int = 10,
        ema: float | None = None,
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.alpha = alpha
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.epochs = epochs
        self.seconds = seconds
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.ema = ema
        self.precision = precision
        self.random_state = random_state
        self.warm_start = warm_start
        self.observers = observers
        self.checkpoint = checkpoint

    @property
    def out_activation_(self) -> str:
        """What is made of the outputs: nothing, "identity"."""
        return "identity"

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Pass once over more rows; as in `MLPClassifier`, with targets in units of the first call's."""
        self._check_settings()
        is_first = not hasattr(self, "network_")
        inputs, targets = self._inputs(X, reset=is_first), self._targets(X, y)
        weights = checked_weights(sample_weight, targets)
        if is_first:
            self._learn_units(targets, weights)
        self._pass_once((inputs, self._scaled(targets), weights), len(self.unit_))
        return self

    def _learn_outputs(self, found: BlockSurvey) -> tuple[int, Encode]:
        self._is_flat, self.centre_, self.unit_ = True, np.array([found.centre]), np.array([found.unit])
        return 1, lambda y: (self._scaled(y), None)

    def _last_layer(self, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return W * self.unit_, b * self.unit_ + self.centre_
