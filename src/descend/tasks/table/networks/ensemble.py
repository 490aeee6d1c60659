"""Ensembles of networks for tables: linear ones and multi-layer perceptrons, several side by side.

An ensemble's members share an architecture. Each is trained without one fold of the rows, so that every row can be
predicted by a member that has not seen it: that is the validation, and no row is lost for it. What the ensemble
predicts is its members' mean.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from descend import losses
from descend._shuffle import mixed
from descend.tasks.common.target import TargetKind

# Features, targets, the numbers of folds, and how much each row counts.
Rows = tuple[Float[Array, "rows features"], Shaped[Array, " rows"], Int[Array, " rows"], Float[Array, " rows"]]

# By how much faster a feature's gate moves than the weights.
GATE_RATE = 5.0
# How many there are: of so many parts is the share that dropout leaves out.
BYTES = 256


@dataclass(frozen=True)
class Shape:
    """What an ensemble is built from: everything but its weights.

    `architecture` is its name; `outputs` is 1 for a number and for two classes, else the number of classes; `width`,
    of each hidden layer.
    """

    architecture: str
    hidden_layers: int
    task: TargetKind
    features: int
    outputs: int
    members: int
    width: int = 128

    @property
    def layers(self) -> list[tuple[int, int]]:
        """The inputs and outputs of each layer."""
        return list(pairwise([self.features, *[self.width] * self.hidden_layers, self.outputs]))

    @property
    def size(self) -> int:
        """How many numbers an ensemble has."""
        gates = self.features if self.hidden_layers else 0
        return self.members * (gates + sum((inputs + 1) * outputs for inputs, outputs in self.layers))


@partial(jax.tree_util.register_dataclass, data_fields=["weights", "biases", "gates"], meta_fields=["shape"])
@dataclass(frozen=True)
class Ensemble:
    """Networks of one shape; called with rows, they give each member's scores for each row, in NumPy or in JAX.

    Before a hidden layer each feature passes a gate, 1 + 5 g, which begins at 1: by it a network lets go of features
    that tell nothing sooner than by all weights of theirs.

    `weights`: of each layer (members, inputs, outputs); `biases` (members, 1, outputs). `gates`: g (members, features,
    1); `None` of linear ones.
    """

    weights: tuple[Any, ...]
    biases: tuple[Any, ...]
    gates: Any
    shape: Shape

    def __call__(self, rows: Any, hidden: Callable[[Any, int], Any] | None = None) -> Any:
        """`hidden(x, layer)`: what is done to the activations of a hidden layer besides."""
        first = self.weights[0] if self.gates is None else self.weights[0] * opened(self.gates)
        return self.above(rows @ first + self.biases[0], hidden)

    def above(self, x: Any, hidden: Callable[[Any, int], Any] | None = None) -> Any:
        """What the layers above the first make of what comes out of it."""
        for layer, (weights, biases) in enumerate(zip(self.weights[1:], self.biases[1:], strict=True)):
            x = x * (x > 0)
            x = (x if hidden is None else hidden(x, layer)) @ weights + biases
        return x

    def named_parameters(self) -> dict[str, Any]:
        """The weights and the biases of each layer of each member, and its gates, by name."""
        named: dict[str, Any] = {}
        for layer, parts in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            for what, part in zip(("weights", "biases"), parts, strict=True):
                named |= {f"member {i}/layer {layer} {what}": member for i, member in enumerate(part, start=1)}
        gates = () if self.gates is None else self.gates
        return named | {f"member {i}/gates": member for i, member in enumerate(gates, start=1)}

    def member(self, number: int) -> "Ensemble":
        """One of them alone."""
        return jax.tree.map(lambda array: array[number : number + 1], self)

    def unseen(self, rows: np.ndarray, folds: np.ndarray) -> np.ndarray:
        """The scores of each row by the member that was not trained on its fold; of weights in NumPy."""
        scores = np.empty((len(rows), self.shape.outputs), np.float32)
        for number in range(self.shape.members):
            mine = folds == number
            scores[mine] = self.member(number)(rows[mine])[0]
        return scores


def opened(gates: Any) -> Any:
    """How much of each feature gates let pass."""
    return 1 + GATE_RATE * gates


def build(shape: Shape, seed: int) -> Ensemble:
    """An ensemble at its start: linear members at zero, perceptrons uniformly within ±1/√inputs of each layer."""
    rng, members = np.random.default_rng(seed), shape.members
    weights, biases = [], []
    for inputs, outputs in shape.layers:
        # A linear model has one minimum, which it finds from 0; hidden layers that began at 0 would stay alike.
        bound = inputs**-0.5 if shape.hidden_layers else 0.0
        weights.append(rng.uniform(-bound, bound, (members, inputs, outputs)).astype(np.float32))
        biases.append(rng.uniform(-bound, bound, (members, 1, outputs)).astype(np.float32))
    gates = np.zeros((members, shape.features, 1), np.float32) if shape.hidden_layers else None
    return Ensemble(tuple(weights), tuple(biases), gates, shape)


def mean_prediction(scores: np.ndarray, task: TargetKind) -> np.ndarray:
    """The mean over the members, which come first: a number per row, or a probability per row and class."""
    # SciPy takes a tenth of a second to import.
    from scipy.special import expit, softmax

    if task == "regression":
        return scores[..., 0].mean(axis=0)
    if task == "binary":
        positive = expit(scores[..., 0]).mean(axis=0)
        return np.stack([1 - positive, positive], axis=-1)
    return softmax(scores, axis=-1).mean(axis=0)


@runtime_checkable
class Scored(Protocol):
    """What a loss is of: an ensemble, however its numbers are laid."""

    @property
    def shape(self) -> Shape: ...

    def __call__(self, rows: Any, hidden: Callable[[Any, int], Any] | None = None) -> Any: ...


@dataclass(frozen=True)
class TrainingLoss:
    """The members' mean loss, each on the rows that are not in its own fold, as much as they count.

    A batch's sum is divided by how many rows it has, and not by their weights: so its gradient is that of all rows on
    average, whichever of them meet in a batch.
    """

    task: TargetKind

    def __call__(self, model: Scored, batch: Rows) -> Float[Array, ""]:
        return self.of_scores(model(batch[0]), batch)

    def of_scores(self, scores: Float[Array, "members rows outputs"], batch: Rows) -> Float[Array, ""]:
        """The loss from each member's scores of each row."""
        _, targets, folds, weights = batch
        per_row = row_losses(scores, targets, self.task)
        members = per_row.shape[0]
        seen = folds != jnp.arange(members)[:, None]
        loss = jnp.sum(per_row * weights * seen) / jnp.maximum(jnp.sum(seen), 1)
        # The value is the mean, but the gradient is the sum's: a learning rate means to a member what it would alone.
        return loss + (members - 1) * (loss - jax.lax.stop_gradient(loss))


@dataclass(frozen=True)
class DropoutLoss(TrainingLoss):
    """The same with dropout: in each step, `rate` of each row's activations are left out, of all members the same.

    Reference: Srivastava et al., "Dropout", Journal of Machine Learning Research 15, 2014.
    """

    rate: float

    def __call__(self, model: Scored, batch: Rows, key: jax.Array | None = None) -> Float[Array, ""]:
        if key is None:
            return super().__call__(model, batch)

        # To draw takes as long as a layer's products: so a hash does, which members share, and layers have a byte each.
        words = hashed(key, (len(batch[0]), model.shape.width))
        kept = round(BYTES * (1 - self.rate))

        def dropped(x: Array, layer: int) -> Array:
            byte = words >> (8 * layer) & (BYTES - 1)
            return x * (byte < kept) * (BYTES / kept)

        return self.of_scores(model(batch[0], dropped), batch)


def hashed(key: jax.Array, shape: tuple[int, int]) -> Array:
    """Random bits, 32 in each number: a hash of the key and the number's place."""
    # As many words as JAX's generator has: one that somebody sets may have more than two.
    first, *others = jax.random.key_data(key)
    words = mixed(jnp.arange(math.prod(shape), dtype=jnp.uint32) ^ first)
    for word in others:
        words = mixed(words + word)
    return words.reshape(shape)


def row_losses(
    scores: Float[Array, "members rows outputs"], targets: Shaped[Array, " rows"], task: TargetKind
) -> Array:
    """The loss of each member's scores of each row."""
    if task == "multiclass":
        return losses.softmax_cross_entropy(scores, jnp.broadcast_to(targets, scores.shape[:-1]))
    loss = losses.squared if task == "regression" else losses.logistic
    return loss(scores[..., 0], jnp.broadcast_to(targets, scores.shape[:-1]))
