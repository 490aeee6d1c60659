"""Multi-layer perceptrons, as networks."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._tree import Tree
from descend.neural._network import Network
from descend.neural._sparse_rows import SparseRows
from descend.neural._weights import filled, weights

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu, "tanh": jnp.tanh, "logistic": jax.nn.sigmoid, "gelu": jax.nn.gelu, "identity": jnp.asarray,
}


class MLP(Network):
    """Layers `x ← φ(x W + b)`, the last one without φ. `dropout`: the share of each hidden layer that is left out."""

    weights: list[Array]
    biases: list[Array]
    activation: str = eqx.field(static=True)
    dropout: float = eqx.field(static=True)

    @classmethod
    def drawn(
        cls, sizes: Sequence[int], activation: str, dropout: float, rng: np.random.Generator, last: float = 1.0
    ) -> "MLP":
        """One with weights drawn for rectifiers (He et al., arXiv 1502.01852), and biases of zero; `last`: what the
        weights of the last layer are multiplied by."""
        shapes = list(pairwise(sizes))
        # A rectifier lets half of the variance through; the others let all of it through near 0.
        gain = 2.0 if activation in ("relu", "gelu") else 1.0
        matrices = [rng.normal(0, np.sqrt(gain / m), (m, n)) for m, n in shapes]
        matrices[-1] *= last
        return cls([*map(weights, matrices)], [filled(n) for _, n in shapes], activation, dropout)

    def __call__(self, inputs: Array | SparseRows, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        x: Any = inputs
        last = len(self.weights) - 1
        for i, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = (x.times(W) if isinstance(x, SparseRows) else x @ W) + b
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
