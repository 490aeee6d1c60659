"""What perceptrons on rows of numbers share: columns in units of their spread, and their settings."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from descend._facts import Facts
from descend._saved import array_in
from descend._scaling import centre_and_unit
from descend._tree import Tree, split
from descend.errors import InputError
from descend.neural._estimator import NetworkInit, NeuralEstimator
from descend.neural._few_rows import Course, found_course
from descend.neural._objective import Examples
from descend.neural._seed import seed_of
from descend.neural._sparse_rows import in_rows, units_of
from descend.neural._streaming import Stream
from descend.neural.perceptron import ACTIVATIONS, MLP
from descend.training import Trainer

# The least steps of a training, where nobody says how long it is to be.
MIN_STEPS = 1000
# A short training should not have to unlearn what the first weights say at random: they say little.
LAST_GAIN = 0.1
# Rows of which some say how far to go on all of them. Of more, a tenth is held out and says when to stop.
FEWEST_ROWS, FEW_ROWS = 50, 2000
# Rows of a step, where they come a few at a time.
STREAM_BATCH = 64

# Rows that an export is checked on.
DRAWN_ROWS = 256


class TabularNetwork(NeuralEstimator):
    """A perceptron on rows of numbers, which are centred and scaled for it; those of a sparse matrix are scaled alone.
    """

    hidden_layer_sizes: Any
    activation: str
    dropout: float

    def _inputs(self, X: Any, reset: bool) -> Tree:
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], accept_sparse="csr")
        if reset:
            self.mean_, self.scale_ = units_of(X) if sparse.issparse(X) else centre_and_unit(X)
        if sparse.issparse(X) and not self.mean_.any():
            return in_rows(X.multiply(1 / self.scale_))
        X = X.toarray() if sparse.issparse(X) else X
        return ((X - self.mean_) / self.scale_).astype(np.float32)

    def _init_network(self, inputs: Tree, outputs: int, rng: np.random.Generator) -> NetworkInit:
        sizes = (len(self.scale_), *map(int, self._widths), outputs)
        return NetworkInit(MLP.drawn(sizes, self.activation, self.dropout, rng, LAST_GAIN))

    def _usual_epochs(self, count: int) -> float:
        # Of few rows an epoch is a few steps, and fifty of them would not be a training.
        return max(self._epochs, MIN_STEPS * self._batch_size(count) / count)

    def _begun(
        self, begin: float, examples: Examples, outputs: int, smoothing: float = 0.0, validation: Examples | None = None
    ) -> Trainer:
        if validation is not None or not self._is_open(len(examples[1])):
            return super()._begun(begin, examples, outputs, smoothing, validation)
        seed = seed_of(self.random_state, self.checkpoint)
        inputs, targets, weights = examples
        examples = inputs, targets, np.ones(len(targets), np.float32) if weights is None else weights
        start = self._network_to_train(inputs, outputs, seed)

        def trained(part: Examples, optimizer: Any, steps: int) -> Trainer:
            return self._trainer(start, part, seed, smoothing, optimizer=optimizer, steps=steps)

        course = found_course(trained, self._kind, examples, self._longest(start, len(targets)), seed)
        trainer = self._trainer(start, examples, seed, smoothing, optimizer=course.rule, steps=course.steps,
                                **self._seen_and_saved)
        trainer.seconds += time.perf_counter() - begin
        return trainer

    def _is_open(self, count: int) -> bool:
        """Whether rows say how far to train on so many: they are few, and nobody said it."""
        is_auto = isinstance(self.optimizer, str) and self.optimizer == "auto"
        says = self.epochs is not None or self.seconds is not None or self.validation_fraction == 0
        return is_auto and not says and FEWEST_ROWS <= count <= FEW_ROWS and self._batch_size(count) < count

    def _longest(self, start: NetworkInit, count: int) -> Course:
        per_pass = count / self._batch_size(count)
        steps = round(self._usual_epochs(count) * per_pass)
        size = sum(leaf.size for leaf in jax.tree.leaves(split(start.network)[0]))
        return Course(steps, size / count, per_pass)

    def _pass_once(self, examples: Examples, outputs: int, smoothing: float = 0.0) -> None:
        """Pass over more rows, which the network there is goes on with."""
        begin, seed = time.perf_counter(), seed_of(self.random_state, None)
        start = (NetworkInit(self.network_, self.state_) if hasattr(self, "network_")
                 else self._init_network(examples[0], outputs, np.random.default_rng(seed)))
        stream = getattr(self, "_stream", None) or Stream(self._objective(start, smoothing), self.optimizer, seed)
        size = STREAM_BATCH if self.batch_size == "auto" else int(self.batch_size)
        self.network_, self.state_, losses = stream.passed(start.network, start.state, examples, size)
        self._stream = stream
        self.loss_curve_ = getattr(self, "loss_curve_", []) + losses
        self.validation_scores_ = getattr(self, "validation_scores_", [])
        self.n_iter_ = getattr(self, "n_iter_", 0) + 1
        self.training_seconds_ = getattr(self, "training_seconds_", 0.0) + time.perf_counter() - begin

    # ------------------------------------------------------------------------------------- as scikit-learn tells them

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The matrices of the layers, for columns in their own units; see `intercepts_`."""
        return [matrix for matrix, _ in self._layers()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """What the layers add: `φ(X W + b)` for one after the other, with no φ but `out_activation_` for the last.

        Columns are taken in their own units by the first layer, and targets given in theirs by the last. Of two classes
        there is one output, the score of the second.
        """
        return [shift for _, shift in self._layers()]

    @property
    def n_layers_(self) -> int:
        """How many layers there are, that of the inputs included."""
        return len(self.network_.weights) + 1

    @property
    def n_outputs_(self) -> int:
        """How many outputs the last of `coefs_` has."""
        return self.coefs_[-1].shape[1]

    def _layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        numbers = [np.asarray(part, np.float64) for part in (*self.network_.weights, *self.network_.biases)]
        layers = list(zip(numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :], strict=True))
        W, b = layers[0]
        layers[0] = W / self.scale_[:, None], b - (self.mean_ / self.scale_) @ W
        layers[-1] = self._last_layer(*layers[-1])
        return layers

    def _last_layer(self, W: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last layer as scikit-learn has it."""
        raise NotImplementedError

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"inputs/mean": self.mean_, "inputs/scale": self.scale_}

    def _take_inputs(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[Tree, int]:
        count = self._inputs_in(told, arrays)
        self.mean_, self.scale_ = (array_in(arrays, f"inputs/{name}", told.where, (count,))
                                   for name in ("mean", "scale"))
        if not self.scale_.min(initial=1) > 0:
            told.refuse("inputs/scale", "above 0", self.scale_.min())
        shapes = pairwise((count, *map(int, self._widths), outputs))
        return np.broadcast_to(np.float32(0), (1, count)), sum((m + 1) * n for m, n in shapes)

    def _inputs_in(self, told: Facts, arrays: dict[str, np.ndarray]) -> int:
        """How many inputs the network of a file has."""
        return int(self.n_features_in_)

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
        if not 0 <= self.alpha < np.inf:
            raise InputError(f"alpha must be a finite number of at least 0, but is {self.alpha}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
