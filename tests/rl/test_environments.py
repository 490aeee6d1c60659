"""The environments written in JAX, against Gymnasium's own and their contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.errors import InputError
from descend.rl import environments
from descend.rl.environments import Box, Environment

STEPS = 10_000
EXACT = 1e-5
CAR = "MountainCarContinuous-v0"  # Gymnasium widens its actions before it squares them, and rounds its states


class Walk:
    """Random steps of Gymnasium's environment: the states that it made each from, and what came of it."""

    def __init__(self, name):
        gymnasium = pytest.importorskip("gymnasium")
        world = gymnasium.make(name)
        world.action_space.seed(0)
        world.reset(seed=0)
        rows, self.limit, self.solved_at = [], world.spec.max_episode_steps, world.spec.reward_threshold
        age = 0
        for _ in range(STEPS):
            before = np.array(world.unwrapped.state, np.float64)
            action = world.action_space.sample()
            seen, reward, terminated, truncated, _ = world.step(action)
            age += 1
            after = np.array(world.unwrapped.state, np.float64)
            rows.append((before, action, after, seen, reward, terminated, truncated, age))
            if terminated or truncated:
                world.reset()
                age = 0
        before, actions, after, seen, rewards, *ends = (np.array(column) for column in zip(*rows, strict=True))
        self.before, self.actions, self.after, self.seen, self.rewards = before, actions, after, seen, rewards
        self.terminated, self.truncated, self.age = ends


@pytest.fixture(scope="module", params=environments.ids())
def walk(request):
    return environments.make(request.param), Walk(request.param)


def replayed(environment, walk, dtype):
    """All steps at once, each from the state in which Gymnasium was.

    So rounding does not add up: a chaotic system, such as two links that swing, would be elsewhere after a hundred
    steps for a difference in the last digit of the first.
    """
    with jax.enable_x64(dtype == np.float64):
        before = jnp.asarray(walk.before.astype(dtype))
        actions = jnp.asarray(walk.actions.astype(dtype) if environment.name == CAR else walk.actions)
        keys = jax.random.split(jax.random.key(0), len(before))
        after, rewards, terminated = jax.vmap(environment.step)(before, actions, keys)
        assert after.dtype == dtype
        return [np.asarray(x) for x in (after, jax.vmap(environment.observe)(after), rewards, terminated)]


@pytest.mark.peers
def test_each_of_ten_thousand_steps_is_gymnasiums(walk):
    """In float32, in which policies are trained; Gymnasium reckons in float64, and shows float32."""
    environment, theirs = walk
    after, seen, rewards, terminated = replayed(environment, theirs, np.float32)
    assert np.abs(after - theirs.after).max() < EXACT
    assert np.abs(seen - theirs.seen).max() < EXACT
    assert np.array_equal(terminated, theirs.terminated)
    assert np.allclose(rewards, theirs.rewards, rtol=1e-5, atol=1e-5)  # those that are reckoned; see below
    assert np.array_equal(theirs.age >= environment.time_limit, theirs.truncated)


@pytest.mark.peers
def test_in_float64_the_rewards_are_equal(walk):
    """To the last digit of the float32 in which a batch holds them; and states to 1e-12, so that no formula is only
    nearly the same."""
    environment, theirs = walk
    after, _, rewards, terminated = replayed(environment, theirs, np.float64)
    close = 1e-7 if environment.name == CAR else 1e-12
    assert np.abs(after - theirs.after).max() < close
    assert np.array_equal(rewards.astype(np.float32), theirs.rewards.astype(np.float32))
    assert np.array_equal(terminated, theirs.terminated)


@pytest.mark.peers
def test_what_is_known_of_an_environment_is_gymnasiums(walk):
    environment, theirs = walk
    assert isinstance(environment, Environment)
    assert (environment.time_limit, environment.solved_at) == (theirs.limit, theirs.solved_at)
    assert environment.observation_shape == theirs.seen.shape[1:]
    space = pytest.importorskip("gymnasium").make(environment.name).action_space
    if isinstance(environment.actions, Box):
        assert environment.actions.shape == space.shape
        assert np.array_equal([environment.actions.low, environment.actions.high], [space.low, space.high])
    else:
        assert environment.actions.n == space.n


@pytest.mark.peers
@pytest.mark.parametrize("name", environments.ids())
def test_episodes_begin_where_gymnasiums_do(name):
    """The least and the largest of many first states."""
    environment = environments.make(name)
    world = pytest.importorskip("gymnasium").make(name)
    theirs = np.array([(world.reset(seed=i), np.array(world.unwrapped.state, float))[1] for i in range(500)])
    keys = jax.random.split(jax.random.key(0), 500)
    ours = np.asarray(jax.vmap(environment.reset)(keys))
    width = np.ptp(theirs, axis=0)
    assert (np.abs(ours.min(axis=0) - theirs.min(axis=0)) <= 0.05 * width).all()
    assert (np.abs(ours.max(axis=0) - theirs.max(axis=0)) <= 0.05 * width).all()


def test_the_hard_cases_are_among_the_steps(walk):
    """Or the comparison would say nothing: ends, walls and limits."""
    _, theirs = walk
    ends = theirs.terminated.sum() + theirs.truncated.sum()
    assert ends >= STEPS // theirs.limit


@pytest.mark.parametrize("name", environments.ids())
def test_environments_are_values(name):
    assert environments.make(name) == environments.make(name)
    assert hash(environments.make(name)) == hash(environments.make(name))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CartPole-v0", "no environment is called 'CartPole-v0': did you mean CartPole-v1?"),
        ("cartpole", "no environment is called 'cartpole': did you mean CartPole-v1?"),
        ("MountainCar", "did you mean MountainCar-v0 or MountainCarContinuous-v0?"),
        ("", "there are CartPole-v1, Acrobot-v1, "),
        ("Quux", "there are CartPole-v1, Acrobot-v1, "),
    ],
)
def test_an_unknown_name_is_refused_with_those_like_it(name, said):
    with pytest.raises(InputError) as refused:
        environments.make(name)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
