"""Multi-layer perceptrons for tables of numbers."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from sklearn.utils.validation import validate_data

from descend._facts import Facts
from descend._saved import array_in
from descend._scaling import centre_and_unit
from descend._tree import Tree
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.neural._estimator import NetworkInit, NeuralClassifier, NeuralEstimator
from descend.neural._network import Network
from descend.neural._regressor import NeuralRegressor
from descend.neural._weights import filled, weights
from descend.observers import Observer

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu, "tanh": jnp.tanh, "logistic": jax.nn.sigmoid, "gelu": jax.nn.gelu, "identity": jnp.asarray,
}


# Rows that an export is checked on.
DRAWN_ROWS = 256


class MLP(Network):
    """Layers `x ← φ(x W + b)`, the last one without φ. `dropout`: the share of each hidden layer that is left out."""

    weights: list[Array]
    biases: list[Array]
    activation: str = eqx.field(static=True)
    dropout: float = eqx.field(static=True)

    @classmethod
    def drawn(cls, sizes: Sequence[int], activation: str, dropout: float, rng: np.random.Generator) -> "MLP":
        """One with weights drawn for rectifiers (He et al., arXiv 1502.01852), and biases of zero."""
        shapes = list(pairwise(sizes))
        # A rectifier lets half of the variance through; the others let all of it through near 0.
        gain = 2.0 if activation in ("relu", "gelu") else 1.0
        matrices = [weights(rng.normal(0, np.sqrt(gain / m), (m, n))) for m, n in shapes]
        return cls(matrices, [filled(n) for _, n in shapes], activation, dropout)

    def __call__(self, inputs: Array, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        x, last = inputs, len(self.weights) - 1
        for i, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ W + b
            if i < last:
                x = ACTIVATIONS[self.activation](x)
                if self.dropout and key is not None:
                    x = apply_dropout(x, self.dropout, jax.random.fold_in(key, i))
        return x, state

    @property
    def is_random(self) -> bool:
        """Whether anything is left out in training."""
        return self.dropout > 0


def apply_dropout(x: Array, share: float, key: jax.Array) -> Array:
    """`x` with a random share of its numbers set to zero, and the others made larger for it.

    Reference: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
    """
    # Larger in training, so that nothing is to be done in use, when all of them are there.
    kept = jax.random.bernoulli(key, 1 - share, x.shape)
    return jnp.where(kept, x / (1 - share), 0)


class _TabularNetwork(NeuralEstimator):
    """A perceptron on rows of numbers, which are centred and scaled for it."""

    hidden_layer_sizes: Any
    activation: str
    dropout: float

    def _inputs(self, X: Any, reset: bool) -> np.ndarray:
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])
        if reset:
            self.mean_, self.scale_ = centre_and_unit(X)
        return ((X - self.mean_) / self.scale_).astype(np.float32)

    def _init_network(self, inputs: Tree, outputs: int, rng: np.random.Generator) -> NetworkInit:
        sizes = (inputs.shape[1], *map(int, self._widths), outputs)
        return NetworkInit(MLP.drawn(sizes, self.activation, self.dropout, rng))

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"inputs/mean": self.mean_, "inputs/scale": self.scale_}

    def _take_inputs(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[Tree, int]:
        count = int(self.n_features_in_)
        self.mean_, self.scale_ = (array_in(arrays, f"inputs/{name}", told.where, (count,))
                                   for name in ("mean", "scale"))
        if not self.scale_.min(initial=1) > 0:
            told.refuse("inputs/scale", "above 0", self.scale_.min())
        shapes = pairwise((count, *map(int, self._widths), outputs))
        return np.broadcast_to(np.float32(0), (1, count)), sum((m + 1) * n for m, n in shapes)

    def _network_inputs(self, rows: Any) -> Any:
        return ((rows - self.mean_) / self.scale_).astype(np.float32)

    def _drawn_rows(self) -> np.ndarray:
        drawn = np.random.default_rng(0).normal(size=(DRAWN_ROWS, self.n_features_in_))
        return drawn * self.scale_ + self.mean_

    def _described(self, size: str) -> str:
        widths = (len(self.network_.weights[0]), *map(len, self.network_.biases))
        return f"perceptron {'-'.join(map(str, widths))}, {size}"

    @property
    def _widths(self) -> tuple[Any, ...]:
        """Of the hidden layers; one alone need not be in a tuple."""
        sizes = self.hidden_layer_sizes
        return tuple(sizes) if isinstance(sizes, Sequence | np.ndarray) and not isinstance(sizes, str) else (sizes,)

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.activation not in ACTIVATIONS:
            raise InputError(f"activation must be one of {', '.join(ACTIVATIONS)}, but is {self.activation!r}")
        if not all(isinstance(width, int | np.integer) and width is not True and width >= 1 for width in self._widths):
            raise InputError("hidden_layer_sizes must be a whole number of at least 1, or several of them, but is "
                             f"{self.hidden_layer_sizes!r}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be at least 0 and less than 1, but is {self.dropout}")


class MLPClassifier(NeuralClassifier, _TabularNetwork):
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


class MLPRegressor(NeuralRegressor, _TabularNetwork):
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
