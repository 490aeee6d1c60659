"""Rollouts of Gymnasium's environments on the host: the same steps as a loop of one's own would see."""

import dataclasses
import sys

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium import spaces
from test_bad_environments import Faulty

from descend import Checkpoint, InputError
from descend.engine.storing import tree_to_arrays
from descend.rl import PPO, ActorCritic
from descend.rl._gymnasium import GymnasiumBackend
from descend.rl.environments import Discrete

QUICK = PPO(num_envs=2, num_steps=16, epochs=4, minibatches=2, learning_rate=3e-3)
SETTINGS = {"num_envs": 2, "num_steps": 12, "epochs": 2, "minibatches": 3, "gamma": 0.9, "gae_lambda": 0.8,
            "normalize_observations": False, "normalize_rewards": False}  # fmt: skip


class Sides(gymnasium.Env):
    """The right side is worth 1; ten steps."""

    observation_space, action_space = spaces.Box(-1, 1, (1,)), spaces.Discrete(2, start=3)

    def reset(self, *, seed=None, options=None):
        self.count = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.count += 1
        return np.zeros(1, np.float32), float(action == 4), False, self.count == 10, {}


class Vectors(Sides):
    """The nearer to .5 the better, of arrays of two by one."""

    action_space = spaces.Box(-1, 1, (2, 1))

    def step(self, action):
        assert self.action_space.contains(action)
        self.count += 1
        return np.zeros(1, np.float32), -float(((action - 0.5) ** 2).sum()), False, self.count == 10, {}


@pytest.mark.parametrize("make", [Sides, Vectors])
def test_learns(make):
    result = QUICK.train(make, steps=5_000, stop=None)
    assert result.returns.shape == (100,)
    assert result.returns.min() > {Sides: 9.5, Vectors: -0.2}[make]
    assert result.environment_steps == 5_024
    assert set(result.history.validation["episodes"]) == {10}  # there is no threshold


def test_steps_are_those_of_the_environment():
    """A count that ends at 5: seen are 0, 1, 2, 3, 4, 0, …, and what followed the fifth is not the beginning."""
    source = GymnasiumBackend(lambda: Faulty(end=5)).source(**{**SETTINGS, "epochs": 1, "minibatches": 1})
    network = ActorCritic.drawn((2,), Discrete(2), 0)
    batch, cursor = source.draw(source.init(jax.random.key(0)), network)
    seen = np.asarray(batch.steps.observation).reshape(12, 2, 2)
    assert (seen[..., 0] == (np.arange(12) % 5)[:, None]).all()
    value = lambda count: float(network(np.full((1, 2), count, np.float32))[1][0])
    expected, later = np.zeros(12), 0.0
    for t in reversed(range(12)):
        is_end = t % 5 == 4
        delta = 1 + (0.0 if is_end else 0.9 * value(t % 5 + 1)) - value(t % 5)
        later = delta + (0.0 if is_end else 0.9 * 0.8 * later)
        expected[t] = later
    advantage = np.asarray(batch.steps.advantage).reshape(12, 2)
    np.testing.assert_allclose(advantage, np.stack([expected] * 2, 1), rtol=1e-3, atol=1e-5)
    assert (cursor.watch.episodes, cursor.watch.episode_return) == (4, 5)


def test_a_rollout_serves_all_its_draws_and_no_more():
    source = GymnasiumBackend(lambda: Faulty(end=5)).source(**SETTINGS)
    network, other = (ActorCritic.drawn((2,), Discrete(2), seed) for seed in (0, 1))
    cursor, seen = source.init(jax.random.key(0)), []
    for number in range(6):
        assert source.looks(cursor) == (number == 0)
        batch, cursor = source.draw(cursor, network if number == 0 else other)
        seen.append(np.asarray(batch.steps.log_prob))
    assert source.looks(cursor)
    first, second = np.reshape(seen, (2, 24))
    assert sorted(first) == sorted(second)
    assert not np.array_equal(first, second)


def test_a_draw_may_be_asked_for_again():
    source = GymnasiumBackend(lambda: Faulty(end=5)).source(**SETTINGS)
    network, begin = ActorCritic.drawn((2,), Discrete(2), 0), source.init(jax.random.key(0))
    first, second = source.draw(begin, network)[0], source.draw(begin, network)[0]
    for mine, theirs in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert np.array_equal(mine, theirs, equal_nan=True)


def test_equal_seeds_are_equal_trainings():
    make = lambda: gymnasium.make("CartPole-v1")
    algorithm = dataclasses.replace(QUICK, normalize_observations=True, normalize_rewards=True)
    runs = [algorithm.train(make, steps=256, seed=seed, stop=None).run for seed in (0, 0, 1)]
    first, second, other = (tree_to_arrays(run.state, "") for run in runs)
    assert all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)
    assert not np.array_equal(first["/params/weights"], other["/params/weights"])


def test_a_training_goes_on_with_new_episodes(tmp_path):
    """Nothing else is lost: the network, what its rule remembers, the rollout that it is in the middle of."""
    class KilledError(Exception):
        pass

    def kill(progress):
        if progress.step >= 3:
            raise KilledError

    file = Checkpoint(tmp_path / "run", every=0.0)
    with pytest.raises(KilledError):
        QUICK.train(Sides, steps=64, stop=None, checkpoint=file, observers=[kill])
    result = QUICK.train(Sides, steps=64, stop=None, checkpoint=file, resume=True)
    assert (result.run.step, result.environment_steps) == (16, 64)
    whole = QUICK.train(Sides, steps=64, stop=None)
    assert len(result.history) == len(whole.history) == 16
    assert np.array_equal(result.history["loss"][:8], whole.history["loss"][:8])  # of the rollout that it was in


def test_without_the_package_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(InputError, match=r"needs Gymnasium, which is not installed: pip install 'descend\[rl\]'"):
        QUICK.train(Sides, steps=64)
    with pytest.raises(InputError, match=r"no environment is called 'LunarLander-v3'.*descend\[rl\]"):
        QUICK.train("LunarLander-v3", steps=64)
    assert QUICK.train("CartPole-v1", steps=32, stop=None).environment_steps == 32
