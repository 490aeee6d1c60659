"""What a source of rollouts gives to a loss."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from descend._tree import Tree
from descend.rl._moments import Moments
from descend.rl._types import Array

# A task of Gym's counted as solved by the mean of so many episodes in a row: what is told can be read beside that.
AVERAGED_EPISODES = 100


class Steps(NamedTuple):
    """Steps in an environment, one in each row, with what the policy that made them thought of them.

    `observation`: as the network is given it. `log_prob`: the action's. `value`: the critic's. `target`: what the
    value turned out to be. `advantage`: `target − value`.
    """

    observation: Any
    action: Any
    log_prob: Any
    value: Any
    advantage: Any
    target: Any


class EpisodeStatistics(NamedTuple):
    """What is told of the episodes in training, in which actions are drawn by chance: means of about the last 100."""

    episode_return: Any
    episode_length: Any
    episodes: Any
    environment_steps: Any

    @classmethod
    def start(cls) -> "EpisodeStatistics":
        """Before the first episode."""
        return cls(jnp.float32(jnp.nan), jnp.float32(jnp.nan), jnp.float32(0), jnp.float32(0))

    def after(self, done: Array, earned: Array, elapsed: Array) -> "EpisodeStatistics":
        """With the episodes that ended where `done`, having `earned` so much after `elapsed` steps."""
        count = done.sum().astype(jnp.float32)
        share = count / jnp.maximum(jnp.minimum(self.episodes + count, AVERAGED_EPISODES), 1)
        share = jnp.minimum(share, 1)

        # A mean that forgets, as a checkpoint is not to hold the last 100 returns for what is told in passing. Until
        # there were 100 episodes it is the plain mean, and before the first nothing is known, which NaN says.
        def mean(before: Array, of: Array) -> Array:
            lately = jnp.sum(jnp.where(done, of, 0)) / jnp.maximum(count, 1)
            begun = jnp.where(jnp.isnan(before), lately, before + share * (lately - before))
            return jnp.where(count > 0, begun, before)

        steps = self.environment_steps + done.size
        return EpisodeStatistics(
            mean(self.episode_return, earned), mean(self.episode_length, elapsed), self.episodes + count, steps
        )


class Rollout(NamedTuple):
    """A batch: steps of a rollout, and what is known of it besides.

    `moments`: those of the observations, if they are normalized by any. `is_first`: whether the network is still the
    one that made these steps.
    """

    steps: Steps
    watch: EpisodeStatistics
    moments: Moments | None
    is_first: Any


def flat(tree: Tree) -> Tree:
    """Arrays whose first two axes, time and environment, are made one."""
    return jax.tree.map(lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), tree)
