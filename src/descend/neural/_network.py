"""What all networks promise, and how their scores for many examples are had."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend._tree import Tree

# Examples to score at a time, where a network does not say.
SCORING_BLOCK = 1024


class Network(eqx.Module):
    """A function from a batch of inputs to a batch of scores.

    `inputs`: a pytree of arrays with the examples along the first axis. `state`: what it keeps from batch to batch
    without being trained, such as running means; `None` for networks that keep nothing. `key`: of what is random in
    training, such as dropout; `None` after training, when nothing is random and the state is used, but not changed.
    """

    def __call__(self, inputs: Tree, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        """The scores, one row for each example, and the state after the batch."""
        raise NotImplementedError

    @property
    def is_random(self) -> bool:
        """Whether training differs from use: whether it takes keys, or has a state."""
        return False


def scores_of(network: Network, state: Tree, inputs: Tree, block: int = SCORING_BLOCK) -> np.ndarray:
    """The scores of all examples, computed in blocks of one size, so that one program serves them all."""
    length = len(jax.tree.leaves(inputs)[0])
    # A power of two, so that few examples need little, and any number of them finds one of a few programs.
    block = min(block, 2 ** (max(length, 1) - 1).bit_length())
    return np.concatenate([
        np.asarray(_scores(network, state, padded(inputs, start, block)))[: length - start]
        for start in range(0, length, block)
    ])


def padded(inputs: Tree, start: int, block: int) -> Any:
    """The examples from `start`, as many as a block has; the last of all again where there are not enough."""

    def part(array: np.ndarray | Array) -> Any:
        rows = array[start : start + block]
        missing = block - len(rows)
        return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing else rows

    return jax.tree.map(part, inputs)


@eqx.filter_jit
def _scores(network: Network, state: Tree, inputs: Tree) -> Array:
    return network(jax.tree.map(jnp.asarray, inputs), state, None)[0]
