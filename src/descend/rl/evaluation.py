"""Episodes of a policy that does what it thinks best, in environments that are written in JAX."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from descend._tree import Tree, join, split
from descend.engine.descent import Static
from descend.rl._distributions import environment_action
from descend.rl._moments import Moments, normalized
from descend.rl._network import Network, actor_of
from descend.rl._rollouts import KEY_IMPLEMENTATION, KEY_WORDS
from descend.rl.environments import Environment

# What Gym's thresholds were meant for; the standard error of a mean of so many is a tenth of the spread.
EPISODES = 100
# A sum of many rewards is squared, in single precision, which ends at 3e38.
MAX_REWARD = 1e15
# Where the environment has no limit of its own: a policy that stands still would never come to an end.
MAX_EPISODE_STEPS = 10_000


class Episodes(NamedTuple):
    """What came of episodes: their returns and their lengths, one of each for each.

    `cut_off`: how many did not end within 10,000 steps, in an environment without a limit of its own.
    """

    returns: np.ndarray
    lengths: np.ndarray
    cut_off: int


def evaluate(environment: Environment, network: Network, moments: Moments | None, seed: int) -> Episodes:
    """100 episodes side by side; those that do not end are cut off, and counted."""
    numbers, rest = split(network)
    # Keys of the steps and of each beginning: from the host, as to draw them here would be more kernels to compile.
    words = np.random.SeedSequence(seed).generate_state((1 + EPISODES) * KEY_WORDS).reshape(-1, KEY_WORDS)
    returns, lengths, ended = _evaluate(environment, Static.of(rest), numbers, moments, words)
    return Episodes(np.asarray(returns), np.asarray(lengths), int((~np.asarray(ended)).sum()))


@partial(jax.jit, static_argnums=(0, 1))
def _evaluate(
    environment: Environment, rest: Static, numbers: Tree, moments: Moments | None, words: jax.Array
) -> tuple[Any, Any, Any]:
    limit = environment.time_limit or MAX_EPISODE_STEPS
    act = actor_of(join(numbers, rest.thaw()))
    keys = jax.random.wrap_key_data(words, impl=KEY_IMPLEMENTATION)
    key = keys[0]

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        i, states, returns, lengths, ended = carry
        action = act(normalized(moments, jax.vmap(environment.observe)(states))).mode()
        keys = jax.random.split(jax.random.fold_in(key, i), EPISODES)
        chosen = environment_action(environment.actions, action)
        states, rewards, terminated = jax.vmap(environment.step)(states, chosen, keys)
        # Side by side, none can be left out: an episode that has ended goes on beside the others, and earns nothing.
        returns = returns + jnp.where(ended, 0, rewards)
        return i + 1, states, returns, lengths + ~ended, ended | terminated

    begin = jax.vmap(environment.reset)(keys[1:])
    nothing = jnp.zeros(EPISODES, jnp.int32)
    start = (jnp.int32(0), begin, jnp.zeros(EPISODES), nothing, nothing > 0)
    _, _, returns, lengths, ended = jax.lax.while_loop(lambda c: (c[0] < limit) & ~c[-1].all(), step, start)
    return returns, lengths, ended | (environment.time_limit is not None)
