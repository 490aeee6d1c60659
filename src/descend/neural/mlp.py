"""Multi-layer perceptrons for tables of numbers, with the faces of scikit-learn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from descend.engine.trainer import Checkpoint
from descend.neural._classifier import NeuralClassifier
from descend.neural._regressor import NeuralRegressor
from descend.neural._tabular import TabularNetwork
from descend.observers import Observer


class MLPClassifier(NeuralClassifier, TabularNetwork):
    """A multi-layer perceptron that tells classes apart, trained to lower the cross-entropy.

    Columns may have any units. `descend.neural` says what the settings and attributes are that all estimators share;
    here are also `hidden_layer_sizes`, the width of a hidden layer or those of several, their `activation` ("relu",
    "tanh", "logistic", "gelu", "identity"), and `dropout`, the share of each that is left out at random in training.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(hidden_layer_sizes=(16,), epochs=30, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9), model.stop_reason_.name
    (True, 'budget')

    **Raises** `InputError` for settings that mean nothing, and scikit-learn's `ValueError` for data that are no table.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (256, 128),
        activation: str = "relu",
        *,
        dropout: float = 0.0,
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


class MLPRegressor(NeuralRegressor, TabularNetwork):
    """A multi-layer perceptron that predicts numbers, one or several, trained to lower the squared error.

    Columns and targets may have any units. Settings and attributes are those of `MLPClassifier`, but for those that
    speak of classes.

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
