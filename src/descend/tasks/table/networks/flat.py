"""An ensemble as it is descended on: as two arrays.

Each array that a rule steps is half a dozen kernels of the step, and each kernel some 30 ms of compiling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import namespace
from descend.tasks.table.networks.ensemble import Ensemble, Shape, opened


@partial(jax.tree_util.register_dataclass, data_fields=["weights", "others"], meta_fields=["shape"])
@dataclass(frozen=True)
class Flat:
    """The members' numbers, a row each: all their weights, which decay, and all their biases and gates, which do not.

    Weights of the first layer lie turned, (members, outputs, inputs). So all members' products with the rows are one,
    whose gradient comes as it lies.

    Called with rows, it gives what the ensemble gives.
    """

    weights: Any
    others: Any
    shape: Shape

    @classmethod
    def of(cls, ensemble: Ensemble) -> "Flat":
        """The same numbers, laid beside each other."""
        gates = () if ensemble.gates is None else (ensemble.gates,)
        weights = (_turned(ensemble.weights[0]), *ensemble.weights[1:])
        return cls(_beside(weights), _beside((*ensemble.biases, *gates)), ensemble.shape)

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble, in NumPy or in JAX."""
        layers = self.shape.layers
        (inputs, outputs), *hidden = layers
        gates = [(self.shape.features, 1)] if self.shape.hidden_layers else []
        biases = [(1, outputs) for _, outputs in layers]
        others = _apart(self.others, [*biases, *gates])
        first, *above = _apart(self.weights, [(outputs, inputs), *hidden])
        return Ensemble((_turned(first), *above), others[: len(layers)], others[-1] if gates else None, self.shape)

    def __call__(self, rows: Any, hidden: Callable[[Any, int], Any] | None = None) -> Any:
        networks = self.ensemble
        first = _turned(networks.weights[0])
        if networks.gates is not None:
            first = first * _turned(opened(networks.gates))
        return networks.above(jnp.einsum("rf,mhf->mrh", rows, first) + networks.biases[0], hidden)

    def named_parameters(self) -> dict[str, Any]:
        """Those of the ensemble, by name."""
        return self.ensemble.named_parameters()


def _turned(weights: Any) -> Any:
    return weights.swapaxes(1, 2)


def _beside(arrays: Sequence[Any]) -> np.ndarray:
    return np.concatenate([np.reshape(array, (len(array), -1)) for array in arrays], axis=1)


def _apart(flat: Any, shapes: Sequence[tuple[int, int]]) -> tuple[Any, ...]:
    """Arrays of these shapes for each member."""
    ends = np.cumsum([rows * columns for rows, columns in shapes])[:-1].tolist()
    parts = namespace(flat).split(flat, ends, axis=1)
    return tuple(part.reshape(len(flat), *shape) for part, shape in zip(parts, shapes, strict=True))
