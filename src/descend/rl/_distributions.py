"""What a policy says of the next action: a chance for each, or a bell over vectors."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import namespace
from descend.rl._types import Array
from descend.rl.environments import Box, Discrete


class Categorical(NamedTuple):
    """One of n actions, with probabilities in the proportion of `exp(logits)`."""

    logits: Any

    def sample(self, noise: Array) -> Array:
        """An action by chance, from Gumbel's `noise` of the logits' shape (Gumbel, 1954)."""
        # The largest of logits and Gumbel's noise is action i with the probability of i: no sum of probabilities has to
        # be searched, and the noise of a whole rollout can be drawn in one piece before it.
        return namespace(self.logits).argmax(self.logits + noise, axis=-1)

    def mode(self) -> Array:
        """The most probable action."""
        return namespace(self.logits).argmax(self.logits, axis=-1)

    def log_prob(self, action: Array) -> jax.Array:
        """The logarithm of an action's probability."""
        # A mask, because the derivative of what picks numbers by their place writes them one after the other.
        chosen = jax.nn.one_hot(action, self.logits.shape[-1], dtype=self.logits.dtype)
        return jnp.sum(jax.nn.log_softmax(self.logits) * chosen, axis=-1)

    def entropy(self) -> jax.Array:
        """`−Σ p log p`."""
        logs = jax.nn.log_softmax(self.logits)
        return -jnp.sum(jnp.exp(logs) * logs, axis=-1)


class Gaussian(NamedTuple):
    """A vector whose components are normal and independent of each other."""

    mean: Any
    log_std: Any

    def sample(self, noise: Array) -> Array:
        """An action by chance, from standard normal `noise` of the mean's shape."""
        return self.mean + namespace(self.mean).exp(self.log_std) * noise

    def mode(self) -> Array:
        """The mean."""
        return self.mean

    def log_prob(self, action: Array) -> jax.Array:
        """The logarithm of the density at an action."""
        z = (action - self.mean) * jnp.exp(-self.log_std)
        return jnp.sum(-0.5 * z * z - self.log_std - 0.5 * math.log(2 * math.pi), axis=-1)

    def entropy(self) -> jax.Array:
        """`Σ (log σ + ½ log 2πe)`."""
        each = jnp.sum(self.log_std + 0.5 * math.log(2 * math.pi * math.e), axis=-1)
        return jnp.broadcast_to(each, self.mean.shape[:-1])


Distribution = Categorical | Gaussian


def noise_for(actions: Discrete | Box, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """What `sample` takes, for an array of actions of this shape."""
    # By `jax.random`, which a compiled rollout can draw from; what is played on the host does not wait for it.
    if isinstance(actions, Discrete):
        return jax.random.gumbel(key, (*shape, actions.n))
    return jax.random.normal(key, (*shape, *actions.shape))


def host_noise_for(actions: Discrete | Box, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """The same, of NumPy's."""
    if isinstance(actions, Discrete):
        return rng.gumbel(size=(*shape, actions.n)).astype(np.float32)
    return rng.standard_normal((*shape, *actions.shape), np.float32)


def environment_action(actions: Discrete | Box, action: Array) -> Array:
    """An action as the environment takes it: a vector in its units, cut down to the bounds."""
    if isinstance(actions, Discrete):
        return action
    centres, units = actions.units
    # Only where there is something to scale, or programs would be longer for nothing.
    if any(centres) or set(units) != {1.0}:
        action = np.array(centres, np.float32) + np.array(units, np.float32) * action
    # Cut down here, for the environment alone. The loss keeps the action as it was sampled, because at a bound what was
    # cut down has a probability and no density, of which a normal distribution's gradient would know nothing.
    return namespace(action).clip(action, *(np.array(end, np.float32) for end in (actions.low, actions.high)))
