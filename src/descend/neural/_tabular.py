"""What perceptrons on rows of numbers share: columns in units of their spread, and their settings."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from descend._facts import Facts
from descend._saved import array_in
from descend._scaling import centre_and_unit
from descend._tree import Tree
from descend.errors import InputError
from descend.neural._estimator import NetworkInit, NeuralEstimator
from descend.neural._perceptron import ACTIVATIONS, MLP

# Rows that an export is checked on.
DRAWN_ROWS = 256


class TabularNetwork(NeuralEstimator):
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
