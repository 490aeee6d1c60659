"""The networks of a policy: an actor, which says what to do, and a critic, which says what that is worth."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from descend._arrays import namespace
from descend.rl._distributions import Categorical, Distribution, Gaussian
from descend.rl._types import Array as EitherArray
from descend.rl.environments import Box, Discrete

HIDDEN = (64, 64)
# Of the actor's last layer: all actions are about as probable at first. Andrychowicz et al. found that this matters,
# and how the other weights are drawn does little.
ACTOR_OUTPUT_GAIN = 0.01

Layers = list[tuple[Any, Any]]
Actor = Callable[[EitherArray], Distribution]


@runtime_checkable
class Network(Protocol):
    """What a network of one's own meets: a pytree that is called with observations, one in each row."""

    def __call__(self, observations: EitherArray) -> tuple[Distribution, EitherArray]:
        """What to do after each observation, and the value of each: the discounted rewards that are expected."""


class ActorCritic(eqx.Module):
    """Two perceptrons, of which neither knows the other's layers: `x ← tanh(x W + b)`, and a last layer without.

    Weights are orthogonal at first, with a gain of √2 in the hidden layers, of 1 in the critic's last and of .01 in the
    actor's last. The spread of vectors of numbers, σ = 1 at first, does not depend on the observation.

    `weights`: all of them in one array, because to step a few thousand numbers in one array takes a fraction of the
    time that it takes in thirteen.

    References: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", arXiv 1312.6120; Andrychowicz et al., "What matters in on-policy reinforcement learning?",
    arXiv 2006.05990.
    """

    weights: Array
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    actions: Discrete | Box = eqx.field(static=True)

    @classmethod
    def drawn(cls, observation_shape: tuple[int, ...], actions: Discrete | Box, seed: int) -> "ActorCritic":
        """One whose weights are drawn for these observations and actions."""
        # In NumPy, as each shape drawn by JAX would be a program of its own to compile.
        rng = np.random.default_rng(seed)
        parts: list[np.ndarray] = []
        for (m, n), gain in zip(*_shapes(observation_shape, actions), strict=True):
            parts += [gain * _orthogonal(rng, m, n).ravel(), np.zeros(n)]
        if isinstance(actions, Box):
            parts.append(np.zeros(actions.shape))
        return cls(jax.device_put(np.asarray(np.concatenate(parts), np.float32)), observation_shape, actions)

    @staticmethod
    def size(observation_shape: tuple[int, ...], actions: Discrete | Box) -> int:
        """How many weights one for these has."""
        shapes, _ = _shapes(observation_shape, actions)
        return sum((m + 1) * n for m, n in shapes) + (len(actions.low) if isinstance(actions, Box) else 0)

    def __call__(self, observations: EitherArray) -> tuple[Distribution, EitherArray]:
        actor, critic, log_std = self.layers()
        return _distribution(actor, log_std, observations), _perceptron(critic, observations)[..., 0]

    def actor(self) -> Actor:
        """The actor alone, taken apart once for many calls; of NumPy's weights, a function of NumPy's arrays."""
        actor, _, log_std = self.layers()
        return lambda observations: _distribution(actor, log_std, observations)

    def layers(self) -> tuple[Layers, Layers, Any]:
        """The actor's and the critic's weights W and biases b, and the logarithm of σ, for vectors of numbers."""
        shapes, _ = _shapes(self.observation_shape, self.actions)
        ends = np.cumsum([size for m, n in shapes for size in (m * n, n)]).tolist()
        *parts, log_std = namespace(self.weights).split(self.weights, ends)
        layers = [(parts[2 * i].reshape(shape), parts[2 * i + 1]) for i, shape in enumerate(shapes)]
        half = len(layers) // 2
        return layers[:half], layers[half:], log_std if isinstance(self.actions, Box) else None

    def named_parameters(self) -> dict[str, Any]:
        """All of them, by name."""
        actor, critic, log_std = self.layers()
        named = {
            f"{who} layer {i} {what}": part
            for who, layers in (("actor", actor), ("critic", critic))
            for i, layer in enumerate(layers, start=1)
            for what, part in zip(("weights", "biases"), layer, strict=True)
        }
        return named if log_std is None else named | {"log σ": log_std}


def actor_of(network: Network) -> Actor:
    """What a network does, without what it thinks that is worth, where it can tell the one from the other."""
    # A network of one's own need not have an `actor`: then the critic is evaluated with it, and not looked at. XLA
    # leaves it out of what it compiles.
    actor = getattr(network, "actor", None)
    return (lambda observations: network(observations)[0]) if actor is None else actor()


def _shapes(observation_shape: tuple[int, ...], actions: Discrete | Box) -> tuple[list[tuple[int, int]], list[float]]:
    """The shapes of all layers' weights, the actor's first, and their gains."""
    outputs = actions.n if isinstance(actions, Discrete) else math.prod(actions.shape)
    shapes, gains = [], []
    for last, gain in ((outputs, ACTOR_OUTPUT_GAIN), (1, 1.0)):
        shapes += list(pairwise((math.prod(observation_shape), *HIDDEN, last)))
        gains += [math.sqrt(2)] * len(HIDDEN) + [gain]
    return shapes, gains


def _orthogonal(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    """A matrix with orthonormal rows or columns, all of them as probable: Q of QR, with the signs of R's diagonal."""
    # Q alone is not evenly distributed: QR by reflections settles the signs of R's diagonal in its own way.
    q, r = np.linalg.qr(rng.normal(size=(max(m, n), min(m, n))))
    q = q * np.sign(np.diag(r))
    return q if m >= n else q.T


def _distribution(actor: Layers, log_std: EitherArray | None, observations: EitherArray) -> Distribution:
    scores = _perceptron(actor, observations)
    return Categorical(scores) if log_std is None else Gaussian(scores, log_std)


def _perceptron(layers: Layers, x: EitherArray) -> EitherArray:
    xp = namespace(x)
    # Not `len`, which in an export is no number.
    x = x.reshape(x.shape[0], -1)
    for W, b in layers[:-1]:
        x = xp.tanh(x @ W + b)
    W, b = layers[-1]
    return x @ W + b
