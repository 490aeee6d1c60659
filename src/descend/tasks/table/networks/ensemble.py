"""Ensembles of networks for tables: linear ones and multi-layer perceptrons, several side by side.

An ensemble's members share an architecture. Each is trained without one fold of the rows, so that every row can be
predicted by a member that has not seen it: that is the validation, and no row is lost for it. What the ensemble
predicts is its members' mean.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from descend import losses
from descend.tasks.common.target import TargetKind

# Features, targets, the numbers of folds, and how much each row counts.
Rows = tuple[Float[Array, "rows features"], Shaped[Array, " rows"], Int[Array, " rows"], Float[Array, " rows"]]


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


@partial(jax.tree_util.register_dataclass, data_fields=["weights"], meta_fields=["shape"])
@dataclass(frozen=True)
class Ensemble:
    """Networks of one shape; called with rows, they give each member's scores for each row, in NumPy or in JAX.

    `weights`: a row for each member, with the matrix and the biases of one layer after the other. That they are one
    array makes a training's program, which is compiled anew for each number of columns, a third shorter.
    """

    weights: Any
    shape: Shape

    def __call__(self, rows: Any) -> Any:
        x, begin = rows, 0
        for inputs, outputs in self.shape.layers:
            end = begin + inputs * outputs
            matrix, biases = self.weights[:, begin:end], self.weights[:, end : end + outputs]
            # The first layer has the rows themselves before it, all others an activation.
            x = x * (x > 0) if begin else x
            x = x @ matrix.reshape(-1, inputs, outputs) + biases.reshape(-1, 1, outputs)
            begin = end + outputs
        return x

    def named_parameters(self) -> dict[str, Any]:
        """The weights and the biases of each layer of each member, by name."""
        named: dict[str, Any] = {}
        begin = 0
        for layer, (inputs, outputs) in enumerate(self.shape.layers, start=1):
            for what, size in (("weights", inputs * outputs), ("biases", outputs)):
                part = self.weights[:, begin : begin + size]
                named |= {f"member {i}/layer {layer} {what}": row for i, row in enumerate(part, start=1)}
                begin += size
        return named

    def member(self, number: int) -> "Ensemble":
        """One of them alone."""
        return Ensemble(self.weights[number : number + 1], self.shape)

    def unseen(self, rows: np.ndarray, folds: np.ndarray) -> np.ndarray:
        """The scores of each row by the member that was not trained on its fold; of weights in NumPy."""
        scores = np.empty((len(rows), self.shape.outputs), np.float32)
        for number in range(len(self.weights)):
            mine = folds == number
            scores[mine] = self.member(number)(rows[mine])[0]
        return scores


def build(shape: Shape, seed: int) -> Ensemble:
    """An ensemble at its start: linear members at zero, perceptrons uniformly within ±1/√inputs of each layer."""
    rng = np.random.default_rng(seed)
    # A linear model has one minimum, which it finds from 0; hidden layers that began at 0 would stay alike for ever.
    bounds = [inputs**-0.5 if shape.hidden_layers else 0.0 for inputs, _ in shape.layers]
    drawn = [rng.uniform(-bound, bound, (shape.members, (inputs + 1) * outputs))
             for bound, (inputs, outputs) in zip(bounds, shape.layers, strict=True)]
    return Ensemble(np.concatenate(drawn, axis=1, dtype=np.float32, casting="same_kind"), shape)


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


@dataclass(frozen=True)
class TrainingLoss:
    """The members' mean loss, each on the rows that are not in its own fold, as much as they count.

    A batch's sum is divided by how many rows it has, and not by their weights: so its gradient is that of all rows on
    average, whichever of them meet in a batch.
    """

    task: TargetKind

    def __call__(self, model: Ensemble, batch: Rows) -> Float[Array, ""]:
        rows, targets, folds, weights = batch
        per_row = row_losses(model(rows), targets, self.task)
        members = per_row.shape[0]
        seen = folds != jnp.arange(members)[:, None]
        loss = jnp.sum(per_row * weights * seen) / jnp.maximum(jnp.sum(seen), 1)
        # The value is the mean, but the gradient is the sum's: a learning rate means to a member what it would alone.
        return loss + (members - 1) * (loss - jax.lax.stop_gradient(loss))


def row_losses(
    scores: Float[Array, "members rows outputs"], targets: Shaped[Array, " rows"], task: TargetKind
) -> Array:
    """The loss of each member's scores of each row."""
    if task == "multiclass":
        return losses.softmax_cross_entropy(scores, jnp.broadcast_to(targets, scores.shape[:-1]))
    loss = losses.squared if task == "regression" else losses.logistic
    return loss(scores[..., 0], jnp.broadcast_to(targets, scores.shape[:-1]))
