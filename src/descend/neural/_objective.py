"""What networks are trained to lower: the mean loss of a batch of examples with targets and weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from descend import losses
from descend._tree import Tree, split
from descend.errors import InputError
from descend.neural._half_precision import in_half
from descend.neural._network import Network, scores_of

# Of several labels any may be there, so that each is a class of two by itself.
Kind = Literal["classification", "labels", "regression"]
# Inputs, targets, and weights, or `None` for weights that are all one.
Examples = tuple[Any, Any, Any]


def with_unit_mean_weights(examples: Examples) -> Examples:
    """The examples with a weight above 0, and weights with a mean of one.

    One of weight 0 is as one that is not there; were they divided, a part might have no weight at all.
    """
    inputs, targets, weights = examples
    if weights is None:
        return examples
    kept = weights > 0
    if not kept.any():
        raise InputError("all weights are 0: give some of the examples one above 0")
    inputs, targets, weights = (jax.tree.map(lambda a: a[kept], part) for part in examples)
    return inputs, targets, (weights / weights.mean()).astype(np.float32)


def row_losses(kind: Kind, scores: Array, targets: Array, smoothing: float = 0.0) -> Array:
    """The loss of each example: cross-entropy of its class; or, summed over the outputs, that of each label, or half
    the squared error.

    `smoothing`: the share of a target that is spread evenly over all classes (Szegedy et al., arXiv 1512.00567); of
    which a label has two.

    **Raises** `InputError` if scores and targets do not fit each other.
    """
    if kind != "classification":
        if scores.shape != targets.shape:
            raise InputError(f"the network gives scores of shape {scores.shape}, but the targets have the shape "
                             f"{targets.shape}")
        if kind == "labels":
            return losses.logistic(scores, (1 - smoothing) * targets + smoothing / 2).sum(-1)
        return losses.squared(scores, targets).sum(-1)
    if scores.shape[:-1] != targets.shape:
        raise InputError(f"the network gives scores of shape {scores.shape}, but classes of shape {targets.shape} "
                         f"need scores of shape {(*targets.shape, 'classes')}")
    hard = losses.softmax_cross_entropy(scores, targets)
    # Cross-entropy is linear in the target: that of a smoothed one is a mean of two, and no target has to be spread
    # out.
    if not smoothing:
        return hard
    spread = -jax.nn.log_softmax(scores).mean(-1)
    return (1 - smoothing) * hard + smoothing * spread


# One program starts sooner than many small ones.
_compiled_row_losses = jax.jit(row_losses, static_argnums=0)


def losses_of_rows(kind: Kind, scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The loss of each example after training."""
    return np.asarray(_compiled_row_losses(kind, scores, targets))


def squares_of_matrices(network: Network) -> Array:
    """‖W‖² over all that a network multiplies by: what is added to sums, such as a bias, does not count."""
    return sum((jnp.sum(leaf**2) for leaf in jax.tree.leaves(split(network)[0]) if leaf.ndim >= 2), jnp.zeros(()))


@dataclass(frozen=True)
class Objective:
    """The mean loss of a batch, for networks that train as they are used.

    `augment(inputs, key)`: what is done to inputs in training alone. `half`: whether the network computes in
    bfloat16; its parameters, the scores' loss and the steps remain in float32. `alpha`: of a penalty on the squares of
    all matrices, α/(2 n) ‖W‖² in a batch of n examples.
    """

    kind: Kind
    smoothing: float = 0.0
    augment: Callable[[Any, Any], Any] | None = None
    half: bool = False
    alpha: float = 0.0

    def __call__(self, network: Network, batch: Examples, state: Tree = None) -> Any:
        """The loss, and the state if there is one."""
        return self.value(network, batch, state, None)

    def value(self, network: Network, batch: Examples, state: Tree, key: jax.Array | None) -> Any:
        """The loss of a batch in training."""
        inputs, targets, weights = batch
        if self.augment is not None and key is not None:
            now, key = jax.random.split(key)
            inputs = self.augment(inputs, now)
        scores, after = self._scores(network, inputs, state, key)
        each = row_losses(self.kind, scores, targets, self.smoothing)
        loss = jnp.mean(each if weights is None else weights * each)
        if self.alpha:
            loss = loss + self.alpha / (2 * len(each)) * squares_of_matrices(network)
        return loss if state is None else (loss, after)

    def _scores(self, network: Network, inputs: Tree, state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        if not self.half:
            return network(inputs, state, key)
        small, inputs = in_half((network, inputs))
        scores, after = small(inputs, state, key)
        return scores.astype(jnp.float32), jax.tree.map(lambda old, new: new.astype(old.dtype), state, after)


class RandomObjective(Objective):
    """The same for networks that are random in training, or whose inputs are: for `key`, by which `minimize` knows."""

    def __call__(self, network: Network, batch: Examples, state: Tree = None, key: jax.Array | None = None) -> Any:
        """The loss, and the state if there is one."""
        return self.value(network, batch, state, key)


@dataclass(frozen=True)
class Validation:
    """The mean loss on held-out examples, and the score: accuracy, of all of an example's labels together; or R²."""

    kind: Kind
    examples: Examples
    block: int

    def __call__(self, network: Network, state: Tree = None) -> tuple[float, dict[str, float]]:
        """The loss and the score of a network as it is used."""
        inputs, targets, weights = self.examples
        scores = scores_of(network, state, inputs, self.block)
        each = losses_of_rows(self.kind, scores, targets)
        w = np.ones(len(each)) if weights is None else np.asarray(weights)
        if self.kind == "classification":
            score = np.average(scores.argmax(-1) == targets, weights=w)
        elif self.kind == "labels":
            score = np.average(((scores > 0) == targets).all(-1), weights=w)
        else:
            spread = np.average((targets - np.average(targets, axis=0, weights=w)) ** 2, axis=0, weights=w)
            # R² over all outputs together, in units in which they spread alike: a target without a spread does not
            # divide.
            score = 1 - np.average((scores - targets) ** 2, axis=0, weights=w).mean() / max(spread.mean(), 1e-12)
        return float(np.average(each, weights=w)), {"score": float(score)}
