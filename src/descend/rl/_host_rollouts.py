"""Rollouts of a policy in environments on the host, as a source of batches."""

from typing import Any, NamedTuple

import jax
import numpy as np

from descend._tree import Tree
from descend.errors import InputError
from descend.rl._distributions import environment_action, host_noise_for
from descend.rl._host import HostBackend, HostEnvironment
from descend.rl._moments import Moments, normalized
from descend.rl._network import Network
from descend.rl._rollouts import Transition, with_advantages
from descend.rl._steps import EpisodeStatistics, Rollout, Steps, flat
from descend.rl.environments import Discrete
from descend.sources.batches import Place, next_examples

_with_advantages = jax.jit(with_advantages)


class HostCursor(NamedTuple):
    """Where a source of rollouts on the host is: a `Cursor` without the environments, which cannot be saved."""

    # Checkpoints know these fields by their names.

    iteration: Any
    position: Any
    seed: Any
    steps: Steps
    watch: EpisodeStatistics
    moments: Moments | None
    seen: Moments | None
    scale: Moments | None


class HostEnvironmentState(NamedTuple):
    """Environments under way: what is seen of them, and what happened in their episodes so far."""

    observation: np.ndarray
    elapsed: np.ndarray
    earned: np.ndarray
    discounted: np.ndarray


class HostRollouts:
    """Batches from what the policy itself does in environments of Gymnasium; settings are those of `Rollouts`.

    The environments live here and not in the cursor. Where a training is resumed, they begin new episodes, with a seed
    from (seed, number of the rollout); what else there is goes on as it was.
    """

    on_host = True

    def __init__(
        self, backend: HostBackend, *, gamma: float, gae_lambda: float, num_envs: int, num_steps: int, epochs: int,
        minibatches: int, normalize_observations: bool, normalize_rewards: bool,
    ):  # fmt: skip
        self._backend, self._gamma, self._lambda = backend, gamma, gae_lambda
        told = (backend.name, gamma, gae_lambda, num_envs, num_steps, epochs, minibatches, normalize_observations,
                normalize_rewards)  # fmt: skip
        # What a checkpoint must agree with. The word is that of the checkpoints that there are.
        self.identity = f"Played{told}"
        self._shape = (num_steps, num_envs)
        self._epochs, self._minibatches = epochs, minibatches
        self._normalizes = (normalize_observations, normalize_rewards)
        self.size, self.draws = num_envs * num_steps, epochs * minibatches
        self.ahead = self.draws
        self.batch_size = self.size // minibatches
        self._environments: list[HostEnvironment] = []
        self._live: HostEnvironmentState | None = None
        # With the rollout that was played last. A dispatch that is replayed asks for it again, and the environments,
        # which have gone on, could not play it twice.
        self._last: HostCursor | None = None
        # Of the steps in the batches of a rollout, with its number: shuffled once for all of its batches.
        self._order: tuple[int, np.ndarray] | None = None

    def init(self, key: jax.Array) -> HostCursor:
        """Before the first rollout."""
        none = np.zeros(self.size, np.float32)
        actions = self._backend.actions
        action = np.zeros(self.size, np.int32) if isinstance(actions, Discrete) else np.zeros(
            (self.size, *actions.shape), np.float32
        )
        seen = np.zeros((self.size, *self._backend.observation_shape), np.float32)
        normalizes = self._normalizes
        moments = Moments.none(self._backend.observation_shape) if normalizes[0] else None
        scale = Moments.none(()) if normalizes[1] else None
        seed = jax.random.bits(key, dtype=np.uint32)
        steps = Steps(seen, action, none, none, none, none)
        told, begin = EpisodeStatistics.start(), np.int32(self.draws)
        cursor = HostCursor(np.int32(0), begin, seed, steps, told, moments, moments, scale)
        return jax.tree.map(np.asarray, cursor)

    def looks(self, cursor: HostCursor) -> bool:
        """Whether the last rollout is used up."""
        return int(cursor.position) >= self.draws

    def draw(self, cursor: HostCursor, params: Tree) -> tuple[Rollout, HostCursor]:
        """The next batch."""
        if self.looks(cursor):
            cursor = self._with_rollout(cursor, params)
        steps = cursor.steps
        if self._minibatches > 1:
            index = self._shuffled(cursor)[int(cursor.position)]
            steps = jax.tree.map(lambda array: array[index], steps)
        batch = Rollout(steps, cursor.watch, cursor.moments, cursor.position == 0)
        return batch, cursor._replace(position=cursor.position + np.int32(1))

    def _shuffled(self, cursor: HostCursor) -> np.ndarray:
        """The numbers of the steps in each of the rollout's batches."""
        number = int(cursor.iteration)
        if self._order is None or self._order[0] != number:
            place = Place(cursor.seed, np.uint32(number * self._epochs), np.uint32(0))
            # The shuffle's hash counts modulo 2³².
            with np.errstate(over="ignore"):
                index = next_examples(place, self._epochs * self.size, self.size, shuffle=True)
            self._order = number, index.reshape(self.draws, self.batch_size)
        return self._order[1]

    def _with_rollout(self, cursor: HostCursor, network: Network) -> HostCursor:
        number = int(cursor.iteration) + 1
        if self._last is None or int(self._last.iteration) != number:
            # Another rollout than the one after the last is that of a training that was resumed: its environments are
            # not those of before, and begin anew, by a seed of this place in the training.
            goes_on = self._last is not None and int(self._last.iteration) == number - 1
            if self._live is None or not goes_on:
                self._live = self._reset_all(cursor)
            self._last = self._play_rollout(cursor, network, self._live)
        return self._last

    def _reset_all(self, cursor: HostCursor) -> HostEnvironmentState:
        """New episodes in all environments."""
        count = self._shape[1]
        self._environments = self._environments or [self._backend.new() for _ in range(count)]
        numbers = np.random.SeedSequence([int(cursor.seed), int(cursor.iteration)]).generate_state(count).tolist()
        seen = [self._backend.reset(e, number) for e, number in zip(self._environments, numbers, strict=True)]
        zeros = np.zeros(count, np.float32)
        return HostEnvironmentState(np.stack(seen), np.zeros(count, np.int32), zeros, zeros.copy())

    def _play_rollout(self, cursor: HostCursor, network: Network, live: HostEnvironmentState) -> HostCursor:
        """The cursor with a new rollout."""
        # The same four steps as of `Rollouts`, of NumPy's arrays.
        transitions = self._play(cursor, network, live)
        self._refuse_nonfinite(transitions, int(cursor.iteration))
        rewards, scale = transitions.reward, cursor.scale
        if scale is not None:
            scale = scale.merged(transitions.discounted.reshape(-1))
            rewards = scale.scaled(rewards)
        seen = cursor.seen if cursor.seen is None else cursor.seen.merged(flat(transitions.observation))
        watch = cursor.watch.after(transitions.done, transitions.earned, transitions.elapsed)
        steps = _with_advantages(transitions._replace(reward=rewards), network, cursor.seen, self._gamma, self._lambda)
        number, first = cursor.iteration + np.int32(1), np.int32(0)
        after = HostCursor(number, first, cursor.seed, steps, watch, cursor.seen, seen, scale)
        return jax.tree.map(np.asarray, after)

    def _play(self, cursor: HostCursor, network: Network, live: HostEnvironmentState) -> Transition:
        """Take the environments further, and tell of it; arrays by time and environment."""
        backend, (time, count) = self._backend, self._shape
        # What is random comes from (seed, number of the rollout), so that a rollout is the same whatever was before it.
        rng = np.random.default_rng([int(cursor.seed), int(cursor.iteration), 1])
        noise = host_noise_for(backend.actions, rng, self._shape)
        act, moments = self._backend.actor_of(network), cursor.seen
        observation = np.empty((time, count, *live.observation.shape[1:]), live.observation.dtype)
        after, actions = np.empty_like(observation), []
        reward, discounted, earned = (np.empty(self._shape, np.float32) for _ in range(3))
        terminated, done = np.empty(self._shape, bool), np.empty(self._shape, bool)
        elapsed = np.empty(self._shape, np.int32)
        for t in range(time):
            observation[t] = live.observation
            actions.append(act(normalized(moments, live.observation)).sample(noise[t]))
            choices = backend.to_space(environment_action(backend.actions, actions[t]))
            for i, environment in enumerate(self._environments):
                number = int(cursor.iteration) * time + t
                after[t, i], reward[t, i], terminated[t, i], cut = backend.step(environment, choices[i], number)
                # A new episode begins at once, but `after` keeps what the old one ended with: its value is needed.
                done[t, i] = terminated[t, i] or cut
                live.observation[i] = backend.reset(environment, None) if done[t, i] else after[t, i]
            elapsed[t], earned[t] = live.elapsed + 1, live.earned + reward[t]
            discounted[t] = live.discounted * self._gamma + reward[t]
            for now, then in ((live.elapsed, elapsed), (live.earned, earned), (live.discounted, discounted)):
                now[:] = np.where(done[t], 0, then[t])
        return Transition(observation, np.stack(actions), reward, terminated, done, after, elapsed, earned, discounted)

    def _refuse_nonfinite(self, transitions: Transition, rollouts: int) -> None:
        for what, array in (("an observation", transitions.after), ("a reward", transitions.reward)):
            finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
            if not finite.all():
                number = rollouts * self._shape[0] + int(finite.argmin()) + 1
                raise InputError(f"{self._backend.name} returned {what} that is not finite, in its step number "
                                 f"{number}")

    def close(self) -> None:
        """Close the environments."""
        for environment in self._environments:
            environment.close()
