"""The network: its inputs made of x and y, its loss for the engine, and its units, evaluated in NumPy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend import losses
from descend.neural.perceptron import MLP
from descend.studio.playground.points import Kind, Points

# What can be made of positions, a row of x and y for each.
FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x": lambda at: at[:, 0],
    "y": lambda at: at[:, 1],
    "x²": lambda at: at[:, 0] ** 2,
    "y²": lambda at: at[:, 1] ** 2,
    "xy": lambda at: at[:, 0] * at[:, 1],
    "sin x": lambda at: np.sin(at[:, 0]),
    "sin y": lambda at: np.sin(at[:, 1]),
}
# Of hidden units, each under the name that `MLP` knows it by.
ACTIVATIONS = {"tanh": "tanh", "relu": "relu", "gelu": "gelu", "linear": "identity"}
_IN_NUMPY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "identity": lambda x: x,
}


@dataclass(frozen=True)
class Architecture:
    """What a network is made of: the names of its inputs, the units of each hidden layer, their activation."""

    features: tuple[str, ...]
    layers: tuple[int, ...]
    activation: str

    def drawn(self, outputs: int, dropout: float, seed: int) -> MLP:
        """The network at first: normal weights (He et al., arXiv 1502.01852), and biases of zero."""
        sizes = (len(self.features), *self.layers, outputs)
        return MLP.drawn(sizes, ACTIVATIONS[self.activation], dropout, np.random.default_rng(seed))

    def raw_inputs(self, standard: np.ndarray) -> np.ndarray:
        """A column for each input, of standardised positions."""
        return np.column_stack([FEATURES[name](standard) for name in self.features])


@dataclass(frozen=True, eq=False)
class Inputs:
    """How positions become inputs of a network: each is centred and scaled by what the rows have that it learns from.

    `mean`, `scale`: a number for each input.
    """

    architecture: Architecture
    points: Points
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, architecture: Architecture, points: Points, learned: np.ndarray) -> "Inputs":
        """Those of some points, of which these are learned from."""
        raw = architecture.raw_inputs(points.standard(points.positions[learned]))
        spread = raw.std(0)
        return cls(architecture, points, raw.mean(0), np.where(spread > 0, spread, 1.0))

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The inputs at some positions: a row for each, in single precision."""
        raw = self.architecture.raw_inputs(self.points.standard(positions))
        return ((raw - self.mean) / self.scale).astype(np.float32)


class NetworkLoss:
    """What a network is trained to lower, for one kind of target.

    The mean cross-entropy, or half the mean squared error; with `l1 Σ|w| + l2/2 Σw²` over the weights, without biases;
    and with a random slope through the parameters, so that each component of the gradient has normal noise of standard
    deviation `noise`. These three are the state of the loss and not constants of it: a slider compiles nothing.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __call__(self, network: MLP, batch: Any, state: dict[str, jax.Array], key: jax.Array | None) -> Any:
        """The loss of a batch of inputs and targets, and its state, which stays."""
        inputs, targets = batch
        scores, _ = network(inputs, None, key)
        each = losses.squared if self.kind == "regression" else losses.softmax_cross_entropy
        loss = each(scores, targets).mean()
        loss += state["l1"] * sum(jnp.abs(weights).sum() for weights in network.weights)
        loss += state["l2"] / 2 * sum((weights**2).sum() for weights in network.weights)
        return loss + (0.0 if key is None else _random_slope(network, state["noise"], key)), state, {}


def _random_slope(network: MLP, noise: jax.Array, key: jax.Array) -> jax.Array:
    """A plane of height 0 at the parameters, whose slopes are the noise."""
    numbers = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(network)])
    # To draw takes as long as the rest of a step.
    drawn = lambda: jax.random.normal(jax.random.fold_in(key, len(network.weights)), numbers.shape)
    slopes = jax.lax.cond(noise > 0, drawn, lambda: jnp.zeros_like(numbers))
    return noise * (slopes @ (numbers - jax.lax.stop_gradient(numbers)))


def layers_of(network: MLP, inputs: np.ndarray) -> list[np.ndarray]:
    """What each layer gives for some inputs: the inputs, the hidden units, the scores.

    In NumPy, which takes a few milliseconds for a picture: a program would have to be compiled for each network.
    """
    given, activation = [inputs], _IN_NUMPY[network.activation]
    with np.errstate(over="ignore", invalid="ignore"):
        for i, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
            summed = given[-1] @ np.asarray(weights) + np.asarray(biases)
            given.append(summed if i == len(network.weights) - 1 else activation(summed))
    return given


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Those of the classes, by softmax."""
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)
