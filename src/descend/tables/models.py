"""The models for tables: linear ones and multi-layer perceptrons, several side by side.

An ensemble's members share an architecture, and their arrays are stacked along a first axis. Each is trained without
one fold of the rows, so that every row can be predicted by a member that has not seen it: that is the validation, and
no row is lost for it. What the ensemble predicts is its members' mean.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from descend import losses

Architecture = Literal["linear", "mlp"]
Rows = tuple[Float[Array, "rows features"], Shaped[Array, " rows"], Int[Array, " rows"]]  # features, targets, folds


@dataclass(frozen=True)
class Shape:
    """What an ensemble is built from: everything but its weights.

    `outputs` is 1 for a number and for two classes, else the number of classes; `width`, of a perceptron's two
    hidden layers.
    """

    architecture: Architecture
    task: Literal["regression", "binary", "multiclass"]
    features: int
    outputs: int
    members: int
    width: int = 128


class Ensemble(eqx.Module):
    """`members` networks of one architecture; called with rows, it gives each member's scores for each row."""

    networks: Any

    def __call__(self, rows: Float[Array, "rows features"]) -> Float[Array, "members rows outputs"]:
        arrays, rest = eqx.partition(self.networks, eqx.is_array)
        return jax.vmap(lambda network: jax.vmap(eqx.combine(network, rest))(rows))(arrays)


def build(shape: Shape, key: jax.Array) -> Ensemble:
    """An ensemble at its start: linear members at zero, perceptrons at random."""
    keys = jax.random.split(key, shape.members)
    if shape.architecture == "linear":
        network = eqx.nn.Linear(shape.features, shape.outputs, key=key)
        zeros = jax.tree.map(jnp.zeros_like, eqx.filter(network, eqx.is_array))
        stacked = jax.tree.map(lambda x: jnp.zeros((shape.members, *x.shape), x.dtype), zeros)
        return Ensemble(eqx.combine(stacked, network))
    perceptron = partial(eqx.nn.MLP, shape.features, shape.outputs, shape.width, 2, jax.nn.relu)
    return Ensemble(eqx.filter_vmap(lambda key: perceptron(key=key))(keys))


def mean_prediction(scores: Float[Array, "members rows outputs"], task: str) -> Array:
    """The members' mean: a number per row, or a probability per row and class."""
    if task == "regression":
        return scores[..., 0].mean(0)
    if task == "binary":
        positive = jax.nn.sigmoid(scores[..., 0]).mean(0)
        return jnp.stack([1 - positive, positive], axis=-1)
    return jax.nn.softmax(scores).mean(0)


def row_losses(scores: Float[Array, "*shape outputs"], targets: Shaped[Array, " rows"], task: str) -> Array:
    """The loss of each row's scores."""
    if task == "multiclass":
        return losses.softmax_cross_entropy(scores, jnp.broadcast_to(targets, scores.shape[:-1]))
    loss = losses.squared if task == "regression" else losses.logistic
    return loss(scores[..., 0], jnp.broadcast_to(targets, scores.shape[:-1]))


@dataclass(frozen=True)
class TrainingLoss:
    """The members' mean loss, each on the rows that are not in its own fold."""

    task: str

    def __call__(self, model: Ensemble, batch: Rows) -> Float[Array, ""]:
        rows, targets, folds = batch
        per_row = row_losses(model(rows), targets, self.task)
        seen = folds != jnp.arange(per_row.shape[0])[:, None]
        return jnp.sum(per_row * seen) / jnp.maximum(jnp.sum(seen), 1)


@dataclass(frozen=True)
class ValidationLoss:
    """The loss on rows that their predictor has not seen, and their score: accuracy, or R²."""

    task: str

    def __call__(self, model: Ensemble, rows: Rows) -> tuple[Float[Array, ""], dict[str, Array]]:
        features, targets, folds = rows
        unseen = jnp.take_along_axis(model(features), folds[None, :, None], axis=0)[0]
        loss = row_losses(unseen, targets, self.task).mean()
        return loss, {"score": _score(unseen, targets, self.task)}


def _score(scores: Array, targets: Array, task: str) -> Array:
    if task == "regression":
        return 1 - jnp.mean((scores[:, 0] - targets) ** 2) / jnp.maximum(jnp.var(targets), 1e-12)
    chosen = scores[:, 0] > 0 if task == "binary" else scores.argmax(-1)
    return jnp.mean(chosen == targets)
