"""Rollouts of a policy in environments that are written in JAX, as a source of batches."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from descend._tree import Tree
from descend.rl._advantages import advantages
from descend.rl._distributions import environment_action, noise_for
from descend.rl._moments import Moments, normalized
from descend.rl._network import Network, actor_of
from descend.rl._steps import EpisodeStatistics, Rollout, Steps, flat
from descend.rl._types import Array
from descend.rl.environments import Discrete, Environment
from descend.schedules import Rate, fixed, setting
from descend.sources import Plan
from descend.sources.batches import Place, next_examples, rows

# What is random comes from the generator that costs least to compile, whose keys have four words. Under `vmap` it draws
# for all by the first key.
KEY_IMPLEMENTATION, KEY_WORDS = "unsafe_rbg", 4


class EnvironmentState(NamedTuple):
    """Environments under way, side by side: states, what is seen of them, and what happened in their episodes so far.

    `earned`: rewards. `discounted`: rewards, each earlier one counting less by γ, as they are scaled by.
    """

    # Checkpoints know these fields by their names, as they do those of `Cursor`: one that is called otherwise is
    # another.
    state: Any
    observation: Any
    elapsed: Any
    earned: Any
    discounted: Any


class Transition(NamedTuple):
    """What a step in the environments was, and what it led to.

    `after`: the observation before any new beginning. `elapsed`, `earned`, `discounted`: of the episode so far.
    """

    observation: Any
    action: Any
    reward: Any
    terminated: Any
    done: Any
    after: Any
    elapsed: Any
    earned: Any
    discounted: Any


class Cursor(NamedTuple):
    """Where a source of rollouts is.

    `iteration`: the number of rollouts so far. `position`: the number of batches that were drawn from the last. `key`:
    of all that is random. `steps`: the last rollout. `moments`: of the observations, as it was played with; `seen`:
    with its own taken in. `scale`: the moments of discounted rewards.
    """

    iteration: Any
    position: Any
    key: Any
    live: EnvironmentState
    steps: Steps
    watch: EpisodeStatistics
    moments: Moments | None
    seen: Moments | None
    scale: Moments | None


@setting
class Rollouts:
    """Batches from what the policy itself does: the source of on-policy algorithms.

    Whenever the last rollout is used up, `num_envs` environments are taken `num_steps` further by the policy of that
    moment, as a part of the compiled program. The steps are then drawn `epochs` times, shuffled, in `minibatches`
    parts. An episode that is cut off by the environment's time limit is told from one that terminates: see
    `advantages`.

    What is random comes in one piece for a whole rollout, because small random arrays cost as much as large ones; also
    the states in which episodes may begin anew.
    """

    gamma: float
    gae_lambda: float
    environment: Environment = fixed()
    num_envs: int = fixed()
    num_steps: int = fixed()
    epochs: int = fixed()
    minibatches: int = fixed()
    normalize_observations: bool = fixed(default=False)
    normalize_rewards: bool = fixed(default=False)

    @property
    def identity(self) -> str:
        """What a checkpoint must agree with."""
        return repr(self)

    @property
    def draws(self) -> int:
        """How many batches a rollout gives."""
        return self.epochs * self.minibatches

    @property
    def size(self) -> int:
        """How many steps a rollout has."""
        return self.num_envs * self.num_steps

    @property
    def batch_size(self) -> int:
        """How many steps a batch has."""
        return self.size // self.minibatches

    def init(self, key: jax.Array) -> Cursor:
        """Environments at the beginning of an episode, and no rollout yet."""
        # As one program, because to compile its many small parts one by one would take longer.
        return _first(self, key)

    def _first(self, key: jax.Array) -> Cursor:
        key = jax.random.wrap_key_data(jax.random.bits(key, (KEY_WORDS,)), impl=KEY_IMPLEMENTATION)
        key, _, _, of_episodes = self._keys(key)
        live = self._reset_state(jax.vmap(self.environment.reset)(of_episodes[0]))
        zeros = lambda *shape, dtype=jnp.float32: jnp.zeros((self.size, *shape), dtype)
        actions = self.environment.actions
        action = zeros(dtype=jnp.int32) if isinstance(actions, Discrete) else zeros(*actions.shape)
        shape = self.environment.observation_shape
        steps = Steps(zeros(*shape), action, zeros(), zeros(), zeros(), zeros())
        moments = Moments.none(shape) if self.normalize_observations else None
        scale = Moments.none(()) if self.normalize_rewards else None
        told = EpisodeStatistics.start()
        return Cursor(jnp.int32(0), jnp.int32(self.draws), key, live, steps, told, moments, moments, scale)

    def draw(self, cursor: Cursor, params: Tree) -> tuple[Rollout, Cursor]:
        """The next batch."""
        plan = self.plan(cursor, params)
        batch, cursor = self.take(jax.tree.map(lambda draws: draws[0], plan.draws), plan.cursor, params)
        return batch, self.after(cursor, jnp.int32(1))

    def plan(self, cursor: Cursor, params: Tree) -> Plan:
        """The batches that are left of the last rollout, or those of a new one."""
        # What is played is kept in the cursor, and not in the plan: a dispatch may end in the middle of a rollout, and
        # be gone on from in another process.
        is_used_up = cursor.position >= self.draws
        cursor = jax.lax.cond(is_used_up, self._play_rollout, lambda cursor, _: cursor, cursor, params)
        number = cursor.position + jnp.arange(self.draws, dtype=jnp.int32)
        return Plan((self._shuffled(cursor), number == 0), self.draws - cursor.position, cursor)

    def take(self, draw: tuple[jax.Array | None, jax.Array], cursor: Cursor, params: Tree) -> tuple[Rollout, Cursor]:
        """The steps of one batch."""
        index, is_first = draw
        steps = cursor.steps if index is None else jax.tree.map(lambda array: rows(array, index), cursor.steps)
        return Rollout(steps, cursor.watch, cursor.moments, is_first), cursor

    def after(self, cursor: Cursor, draws: jax.Array) -> Cursor:
        """So many batches further."""
        return cursor._replace(position=cursor.position + draws)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _shuffled(self, cursor: Cursor) -> Any:
        """The numbers of the steps in the batches from the cursor on; nothing, where a batch is all of them."""
        # The order of steps makes no difference to a mean over all of them.
        if self.minibatches == 1:
            return None
        epoch = (cursor.iteration * self.epochs + cursor.position // self.minibatches).astype(jnp.uint32)
        begin = (cursor.position % self.minibatches * self.batch_size).astype(jnp.uint32)
        place = Place(jax.random.key_data(cursor.key)[0], epoch, begin)
        return next_examples(place, self.epochs * self.size, self.size, shuffle=True).reshape(self.draws, -1)

    def _play_rollout(self, cursor: Cursor, network: Network) -> Cursor:
        """The cursor with a new rollout."""
        key, *keys = self._keys(cursor.key)
        # 1. The policy plays, with the moments of what was seen before: were they changed on the way, the probabilities
        #    of the first and the last action would be those of two policies.
        live, transitions = self._play(cursor, network, *keys)
        # 2. Rewards in units of the spread of their discounted sums. They are not centred: a mean taken away would make
        #    an episode worth more or less by its length.
        rewards, scale = transitions.reward, cursor.scale
        if scale is not None:
            scale = scale.merged(transitions.discounted.reshape(-1))
            rewards = scale.scaled(rewards)
        # 3. What is told of the episodes that ended, and the moments with the new observations taken in, for the next.
        watch = cursor.watch.after(transitions.done, transitions.earned, transitions.elapsed)
        seen = None if cursor.seen is None else cursor.seen.merged(flat(transitions.observation))
        # 4. Advantages, once for all epochs over this rollout, by the critic as it was when it began.
        steps = with_advantages(transitions._replace(reward=rewards), network, cursor.seen, self.gamma, self.gae_lambda)
        return Cursor(cursor.iteration + 1, jnp.int32(0), key, live, steps, watch, cursor.seen, seen, scale)

    def _keys(self, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Keys of the next rollout, of the noise, and of each step and of each new episode; at once."""
        wrap = lambda words: jax.random.wrap_key_data(words, impl=KEY_IMPLEMENTATION)
        # The first two words are the generator's key, the others where it begins to count, which must not overlap.
        first, second, *begin = jax.random.key_data(key)
        number = jnp.arange(2 * self.size + 1, dtype=jnp.uint32)
        words = jnp.stack(jnp.broadcast_arrays(first + number, second, *begin), axis=-1)
        of_noise, of_steps, of_episodes = jnp.split(words, [1, 1 + self.size])
        shape = (self.num_steps, self.num_envs, KEY_WORDS)
        later = jnp.stack([first, second + 1, *begin])
        return wrap(later), wrap(of_noise[0]), wrap(of_steps.reshape(shape)), wrap(of_episodes.reshape(shape))

    def _play(
        self, cursor: Cursor, network: Network, of_noise: jax.Array, of_steps: jax.Array, of_episodes: jax.Array
    ) -> tuple[EnvironmentState, Transition]:
        """Take the environments further, and tell of it; arrays by time and environment."""
        noise = noise_for(self.environment.actions, of_noise, of_steps.shape)
        # A new beginning for each step of each environment, of which few are used. They are drawn side by side, which
        # is cheap; one drawn where an episode ends would be a branch, and under `vmap` both sides of it are computed.
        begun = jax.vmap(self._reset_state)(jax.vmap(jax.vmap(self.environment.reset))(of_episodes))
        act = actor_of(network)

        def step(
            live: EnvironmentState, given: tuple[jax.Array, jax.Array, EnvironmentState]
        ) -> tuple[EnvironmentState, Transition]:
            noise, key, begun = given
            action = act(normalized(cursor.seen, live.observation)).sample(noise)
            transitions, gone_on = self._step(live, action, key)
            live = jax.tree.map(lambda new, old: _choose(transitions.done, new, old), begun, gone_on)
            return live, transitions

        return jax.lax.scan(step, cursor.live, (noise, of_steps, begun))

    def _step(self, live: EnvironmentState, action: Array, keys: jax.Array) -> tuple[Transition, EnvironmentState]:
        """One step of all environments, and where it leads without a new beginning."""
        environment = self.environment
        chosen = environment_action(environment.actions, action)
        state, reward, terminated = jax.vmap(environment.step)(live.state, chosen, keys)
        reward = jnp.asarray(reward, jnp.float32)
        elapsed, earned = live.elapsed + 1, live.earned + reward
        discounted = live.discounted * self.gamma + reward if self.normalize_rewards else live.discounted
        done = terminated if environment.time_limit is None else terminated | (elapsed >= environment.time_limit)
        after = jax.vmap(environment.observe)(state)
        transitions = Transition(live.observation, action, reward, terminated, done, after, elapsed, earned, discounted)
        return transitions, EnvironmentState(state, after, elapsed, earned, discounted)

    def _reset_state(self, states: Tree) -> EnvironmentState:
        """Environments at the beginning of an episode."""
        observation = jax.vmap(self.environment.observe)(states)
        none = jnp.zeros(self.num_envs)
        return EnvironmentState(states, observation, none.astype(jnp.int32), none, none)


# One program for all sources alike, found again by every run: a `jit` of its own in each would compile it anew.
_first = jax.jit(Rollouts._first)


def with_advantages(
    transitions: Transition, network: Network, moments: Moments | None, gamma: Rate, gae_lambda: Rate
) -> Steps:
    """A rollout's steps with what the network thinks of them, and what they turned out to be worth; in rows.

    All at once, because a network costs little more for many observations than for one.
    """
    # The observations that steps led to are evaluated by themselves, although most of them are the next step's own:
    # where an episode was cut off, the next step's is of another one.
    observation, after = (normalized(moments, flat(x)) for x in (transitions.observation, transitions.after))
    distribution = network(observation)[0]
    value, next_value = jnp.split(network(jnp.concatenate([observation, after]))[1], 2)
    in_time = lambda array: array.reshape(transitions.reward.shape)
    advantage = flat(advantages(
        transitions.reward, in_time(value), in_time(next_value), transitions.terminated, transitions.done, gamma,
        gae_lambda,
    ))  # fmt: skip
    action = flat(transitions.action)
    return Steps(observation, action, distribution.log_prob(action), value, advantage, advantage + value)


def _choose(condition: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    return jnp.where(condition.reshape(condition.shape + (1,) * (new.ndim - condition.ndim)), new, old)
