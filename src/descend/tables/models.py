"""The models for tables: linear ones and multi-layer perceptrons, several side by side.

An ensemble's members share an architecture, and their arrays are stacked along a first axis. Each is trained without
one fold of the rows, so that every row can be predicted by a member that has not seen it: that is the validation, and
no row is lost for it. What the ensemble predicts is its members' mean.
"""

from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
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


def build(shape: Shape, seed: int) -> Ensemble:
    """An ensemble at its start: linear members at zero, perceptrons uniformly within ±1/√inputs of each layer.

    The weights are drawn by NumPy: JAX would compile a program for every shape among them.
    """
    rng = np.random.default_rng(seed)

    def drawn(layer: eqx.nn.Linear) -> eqx.nn.Linear:
        bound = 0.0 if shape.architecture == "linear" else layer.weight.shape[-1] ** -0.5
        fresh = lambda like: rng.uniform(-bound, bound, (shape.members, *like.shape))
        return jax.tree.map(lambda like: jnp.asarray(fresh(like), like.dtype), layer)

    is_layer = lambda node: isinstance(node, eqx.nn.Linear)
    network = eqx.filter_eval_shape(_network, shape)
    return Ensemble(jax.tree.map(lambda node: drawn(node) if is_layer(node) else node, network, is_leaf=is_layer))


def _network(shape: Shape) -> eqx.Module:
    key = jax.random.key(0)  # Equinox asks for one; nobody sees what it draws
    if shape.architecture == "linear":
        return eqx.nn.Linear(shape.features, shape.outputs, key=key)
    return eqx.nn.MLP(shape.features, shape.outputs, shape.width, 2, jax.nn.relu, key=key)


@eqx.filter_jit
def predict(ensemble: Ensemble, rows: Float[Array, "rows features"], task: str) -> Array:
    """The ensemble's prediction for each row; compiled once for each number of rows."""
    return mean_prediction(ensemble(rows), task)


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
        members = per_row.shape[0]
        seen = folds != jnp.arange(members)[:, None]
        loss = jnp.sum(per_row * seen) / jnp.maximum(jnp.sum(seen), 1)
        # The value is the mean, but the gradient is the sum's: a learning rate means to a member what it would alone.
        return loss + (members - 1) * (loss - jax.lax.stop_gradient(loss))


@dataclass(frozen=True)
class ValidationLoss:
    """The loss on rows that their predictor has not seen, each row's merit, and the score, which is their mean."""

    task: str

    def __call__(self, model: Ensemble, rows: Rows) -> tuple[Float[Array, ""], dict[str, Array]]:
        features, targets, folds = rows
        unseen = jnp.take_along_axis(model(features), folds[None, :, None], axis=0)[0]
        per_row, merits = judged(unseen, targets, self.task)
        return per_row.mean(), {"score": merits.mean(), "merits": merits}


@eqx.filter_jit
def judged(scores: Array, targets: Array, task: str) -> tuple[Array, Array]:
    """The loss and the merit of each row, from scores of a model that has not seen it."""
    return row_losses(scores, targets, task), _merits(scores, targets, task)


def _merits(scores: Array, targets: Array, task: str) -> Array:
    """What each row adds to the score: for an accuracy 1 or 0, for an R² one minus its share of the error."""
    if task == "regression":
        return 1 - (scores[:, 0] - targets) ** 2 / jnp.maximum(jnp.var(targets), 1e-12)
    chosen = scores[:, 0] > 0 if task == "binary" else scores.argmax(-1)
    return (chosen == targets).astype(jnp.float32)
