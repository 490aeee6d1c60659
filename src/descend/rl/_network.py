"""The networks of a policy: an actor, which says what to do, and a critic, which says what that is worth."""

import math
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from descend._arrays import namespace
from descend.rl._distributions import Categorical, Distribution, Gaussian
from descend.rl.environments import Box, Discrete

HIDDEN = (64, 64)


class Network(Protocol):
    """What a network of one's own meets: a pytree that is called with observations, one in each row."""

    def __call__(self, observations: Any) -> tuple[Distribution, Any]:
        """What to do after each observation, and the value of each: the discounted rewards that are expected."""


class ActorCritic(eqx.Module):
    """Two perceptrons, of which neither knows the other's layers: `x ← tanh(x W + b)`, and a last layer without.

    Weights are orthogonal at first, √2 in the hidden layers, 1 in the critic's last and .01 in the actor's last, so that
    all actions are about as probable; the spread of vectors, σ = 1 at first, does not depend on the observation.

    References: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", arXiv 1312.6120; Andrychowicz et al., "What matters in on-policy reinforcement learning?",
    arXiv 2006.05990.
    """

    actor: list[tuple[Any, Any]]
    critic: list[tuple[Any, Any]]
    log_std: Any

    @classmethod
    def drawn(cls, observation_shape: tuple[int, ...], actions: Discrete | Box, key: jax.Array) -> "ActorCritic":
        """One whose weights are drawn for these observations and actions."""
        inputs = math.prod(observation_shape)
        outputs = actions.n if isinstance(actions, Discrete) else math.prod(actions.shape)
        of_actor, of_critic = jax.random.split(key)
        log_std = jnp.zeros(outputs) if isinstance(actions, Box) else None
        return cls(_layers(inputs, outputs, 0.01, of_actor), _layers(inputs, 1, 1.0, of_critic), log_std)

    def __call__(self, observations: Any) -> tuple[Distribution, Any]:
        return self.act(observations), _perceptron(self.critic, observations)[..., 0]

    def act(self, observations: Any) -> Distribution:
        """The actor's part alone; also of NumPy's arrays."""
        scores = _perceptron(self.actor, observations)
        return Categorical(scores) if self.log_std is None else Gaussian(scores, self.log_std)


def _layers(inputs: int, outputs: int, gain: float, key: jax.Array) -> list[tuple[Array, Array]]:
    sizes = (inputs, *HIDDEN, outputs)
    gains = [math.sqrt(2)] * len(HIDDEN) + [gain]
    draw = jax.nn.initializers.orthogonal
    keys = jax.random.split(key, len(gains))
    return [(draw(g)(k, (m, n)), jnp.zeros(n)) for g, k, m, n in zip(gains, keys, sizes, sizes[1:], strict=False)]


def _perceptron(layers: list[tuple[Any, Any]], x: Any) -> Any:
    xp = namespace(x)
    x = x.reshape(len(x), -1)
    for W, b in layers[:-1]:
        x = xp.tanh(x @ W + b)
    W, b = layers[-1]
    return x @ W + b
