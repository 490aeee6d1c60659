"""Environments that are not as they should be: each is refused on one line that says what, where and what to do."""

import dataclasses
from dataclasses import dataclass

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from toy_worlds import Counter, Walk

from descend import InputError
from descend.rl import PPO
from enforced import without_types

QUICK = PPO(num_envs=2, num_steps=8, epochs=2, minibatches=2)


class Faulty(gymnasium.Env):
    """Counts its steps on the host, and does what is asked of it at one of them."""

    def __init__(self, fault=None, at=20, shape=(2,), space=None, actions=None, end=5):
        self.observation_space = space or spaces.Box(-np.inf, np.inf, shape)
        self.action_space = actions or spaces.Discrete(2)
        self.fault, self.at, self.end = fault, at, end
        self.steps = self.count = 0

    def seen(self):
        return np.full(self.observation_space.shape, self.count, np.float32)

    def reset(self, *, seed=None, options=None):
        self.count = 0
        return self.seen(), {}

    def step(self, action):
        self.steps += 1
        self.count += 1
        seen, reward = self.seen(), 1.0
        if self.steps == self.at:
            if self.fault == "raises":
                raise RuntimeError("out of paint")
            reward = np.nan if self.fault == "reward" else reward
            seen = {"observation": np.full_like(seen, np.inf), "shape": np.zeros(3, np.float32)}.get(self.fault, seen)
        return seen, reward, self.end is not None and self.count >= self.end, False, {}


def trained(environment, **settings):
    return QUICK.train(environment, **{"steps": 64, "stop": None, **settings})


@pytest.mark.parametrize(("asked", "hint"), [
    ("CartPole-v2", "CartPole-v1"), ("cartpole-v1", "CartPole-v1"), ("Pendulum", "Pendulum-v1"),
    ("LunarLandr-v3", "LunarLander-v3"), ("xyzzy", "there are CartPole-v1, "),
])  # fmt: skip
def test_an_unknown_id(asked, hint):
    with pytest.raises(InputError, match=f"no environment is called '{asked}'") as error:
        trained(asked)
    assert hint in str(error.value)


def test_what_is_no_environment():
    with without_types(), pytest.raises(InputError, match=r"an environment is an id .* but this is a int"):
        trained(5)
    with pytest.raises(InputError, match="was expected, but it made a int"):
        trained(lambda: 5)


@pytest.mark.parametrize(("fault", "match"), [
    ("raises", "Faulty raised RuntimeError in its step number 20: out of paint"),
    ("reward", "Faulty returned a reward that is not finite, in its step number 20"),
    ("observation", "Faulty returned an observation that is not finite, in its step number 20"),
    ("shape", r"Faulty showed an observation of shape \(3,\), but its observation_space has \(2,\)"),
])  # fmt: skip
def test_a_fault_in_the_middle(fault, match):
    with pytest.raises(InputError, match=match):
        trained(lambda: Faulty(fault))


@pytest.mark.parametrize(("value", "broken_at", "steps"), [(np.nan, 1, 64), (np.inf, 30, 640)],
                         ids=["at once", "later"])
def test_a_compiled_reward_that_is_not_finite(value, broken_at, steps):
    environment = Counter(end=40, broken_at=broken_at, value=value)
    with pytest.raises(InputError, match="Counter returned a reward that is not finite"):
        trained(environment, steps=steps, evaluate_every=10**6)


def test_a_compiled_reward_that_is_too_large():
    with pytest.raises(InputError, match=r"Counter returned rewards of the size of .*beyond ±1e\+15: divide them"):
        trained(Counter(broken_at=1, value=1e25), evaluate_every=10**6)


def test_a_compiled_observation_that_is_not_finite():
    class Blind(Walk):
        def observe(self, state):
            return super().observe(state) / (state - 1)

    with pytest.raises(InputError, match="Walk returned an observation that is not finite"):
        trained(Blind(), steps=640, evaluate_every=10**6)


def test_an_episode_that_never_ends_is_cut_off_and_counted(monkeypatch):
    monkeypatch.setattr("descend.rl._gymnasium.MAX_EPISODE_STEPS", 50)
    result = trained(lambda: Faulty(end=None))
    assert result.cut_off == 100
    assert set(result.returns.tolist()) == {50.0}
    assert trained(Faulty).cut_off == 0


def test_a_compiled_episode_that_never_ends_is_cut_off_and_counted(monkeypatch):
    monkeypatch.setattr("descend.rl.evaluation.MAX_EPISODE_STEPS", 500)
    result = trained(Walk(goal=10**9, time_limit=None))
    assert result.cut_off == 100
    assert set(result.returns.tolist()) == {-500.0}


@pytest.mark.parametrize(("reward", "said"), [
    (np.array([1.0]), r"Odd returned the reward array\(\[1\.\]\) in its step number 3: return one number"),
    (None, "Odd returned the reward None in its step number 3: return one number"),
    ("1", "Odd returned the reward '1' in its step number 3"),
    (1e20, r"Odd returned the reward 1e\+20 in its step number 3, which is beyond ±1e\+15: divide the rewards"),
    (-(10**20), "Odd returned the reward -100000000000000000000 in its step number 3, which is beyond"),
])  # fmt: skip
def test_a_reward_that_is_not_one_number_of_a_size_to_calculate_with(reward, said):
    class Odd(Faulty):
        def step(self, action):
            seen, earned, *ends = super().step(action)
            return seen, reward if self.steps == 3 else earned, *ends

    with pytest.raises(InputError, match=said):
        trained(Odd)


@pytest.mark.parametrize("reward", [1, True, np.float32(1), np.array(1.0), np.int64(1)])
def test_numbers_of_all_kinds_are_rewards(reward):
    class Even(Faulty):
        def step(self, action):
            seen, _, *ends = super().step(action)
            return seen, reward, *ends

    assert trained(Even).returns.mean() == 5


@dataclass(frozen=True)
class Changed(Walk):
    change: str = ""

    def observe(self, state):
        return super().observe(state)[: 1 if self.change == "observation" else 2]

    def step(self, state, action, key):
        state, reward, terminated = super().step(state, action, key)
        if self.change == "state":
            state = state.astype(jnp.float32)
        return state, reward[None] if self.change == "reward" else reward, terminated


@pytest.mark.parametrize(("change", "match"), [
    ("observation", r"observation_shape is \(2,\), but observe returns an array of shape \(1,\)"),
    ("state", "step must return a state like the one it is given"),
    ("reward", r"step must return one reward, but returns an array of shape \(1,\)"),
])  # fmt: skip
def test_compiled_functions_that_do_not_fit_together(change, match):
    with pytest.raises(InputError, match=match):
        trained(Changed(change=change))


def test_images_without_a_network_for_them():
    pixels = spaces.Box(0, 255, (84, 84, 3), np.uint8)
    with pytest.raises(InputError, match=r"observations of shape \(84, 84, 3\) are images.* give network="):
        trained(lambda: Faulty(space=pixels))


def test_a_dict_of_observations_is_made_a_vector():
    class Dict(Faulty):
        def seen(self):
            return {"a": np.float32([self.count]), "b": self.count % 3}

    space = spaces.Dict({"a": spaces.Box(-9, 9, (1,)), "b": spaces.Discrete(3)})
    result = trained(lambda: Dict(space=space))
    assert result.policy.observation_shape == (4,)
    assert result.returns.mean() == 5


def test_observations_that_cannot_be_made_a_vector():
    class Words(Faulty):
        def seen(self):
            return ("a",)

    with pytest.raises(InputError, match=r"cannot be made a vector: wrap the environment"):
        trained(lambda: Words(space=spaces.Sequence(spaces.Discrete(2))))


def test_actions_that_are_neither_chosen_nor_vectors():
    with pytest.raises(InputError, match=r"takes actions of MultiBinary\(3\), but a policy chooses"):
        trained(lambda: Faulty(actions=spaces.MultiBinary(3)))


@pytest.mark.parametrize(("settings", "match"), [
    ({"num_envs": 0}, "num_envs must be a whole number of at least 1, but is 0"),
    ({"minibatches": 3}, "2 × 8 = 16 steps cannot be divided into 3 minibatches"),
    ({"gamma": 1.1}, "gamma must be between 0 and 1, but is 1.1"),
    ({"clip": -0.1}, "clip must be between 0 and inf"),
    ({"minibatches": 16}, "normalize_advantage needs batches of at least 2 steps"),
])  # fmt: skip
def test_settings_that_mean_nothing(settings, match):
    with pytest.raises(InputError, match=match):
        dataclasses.replace(QUICK, **settings)


@pytest.mark.parametrize(("settings", "match"), [
    ({"stop": "never"}, "stop must be 'solved' or None, but is 'never'"),
    ({"steps": 0}, "steps must be more than 0"),
    ({"evaluate_every": 0}, "evaluate_every must be at least 1 step"),
])  # fmt: skip
def test_arguments_that_mean_nothing(settings, match):
    with pytest.raises(InputError, match=match):
        trained(Walk(), **settings)
