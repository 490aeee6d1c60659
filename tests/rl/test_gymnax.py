"""Environments of gymnax, by a stand-in with its functions: gymnax itself is not among the packages that are tested."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.errors import InputError
from descend.rl.environments import Box, CartPole, Discrete, Environment, Gymnax


class State(NamedTuple):
    """As gymnax's states, which count their time."""

    inner: Any
    time: Any


@dataclass(frozen=True)
class Parameters:
    max_steps_in_episode: int = 7


@dataclass
class StandIn:
    """A cart and its pole with gymnax's interface, which counts the steps and says done after enough of them."""

    name: str = "StandIn-v0"
    actions: Any = field(default_factory=lambda: SimpleNamespace(n=2))
    pole: CartPole = field(default_factory=CartPole)

    def reset_env(self, key, params):
        state = State(self.pole.reset(key), jnp.zeros((), jnp.int32))
        return self.pole.observe(state.inner), state

    def step_env(self, key, state, action, params):
        inner, reward, terminated = self.pole.step(state.inner, action, key)
        time = state.time + 1
        done = terminated | (time >= params.max_steps_in_episode)
        return inner, State(inner, time), reward, done, {"discount": jnp.where(done, 0.0, 1.0)}

    def action_space(self, params):
        return self.actions

    def observation_space(self, params):
        return SimpleNamespace(shape=(4,))


def test_what_is_known_of_it():
    environment = Gymnax(StandIn(), Parameters(), solved_at=6.0)
    assert isinstance(environment, Environment)
    assert (environment.name, environment.observation_shape) == ("StandIn-v0", (4,))
    assert (environment.actions, environment.time_limit, environment.solved_at) == (Discrete(2), 7, 6.0)
    assert hash(environment) == hash(environment)


def test_steps_are_its_own():
    """And are compiled, with many side by side."""
    environment, pole = Gymnax(StandIn(), Parameters()), CartPole()
    keys = jax.random.split(jax.random.key(0), 3)
    state = jax.jit(jax.vmap(environment.reset))(keys)
    plain = jax.vmap(pole.reset)(keys)
    actions = jnp.array([0, 1, 1])
    for _ in range(5):
        state, rewards, _ = jax.jit(jax.vmap(environment.step))(state, actions, keys)
        plain, _, _ = jax.vmap(pole.step)(plain, actions, keys)
        assert np.allclose(jax.vmap(environment.observe)(state), plain, atol=1e-6)
        assert (rewards == 1).all()


def test_its_limit_is_not_a_termination():
    """A pole that is balanced is not done after 7 steps, though the stand-in would say so; one that falls is."""
    environment, key = Gymnax(StandIn(), Parameters()), jax.random.key(0)
    state = environment.reset(key)
    for age in range(1, 60):
        state, _, terminated = environment.step(state, age % 2, key)
        if age == 20:
            assert not terminated
        if terminated:
            break
    state, age, terminated = environment.reset(key), 0, False
    while not terminated and age < 60:
        state, _, terminated = environment.step(state, 1, key)
        age += 1
    assert terminated
    assert 7 < age < 20


def test_without_a_limit_there_is_none():
    assert Gymnax(StandIn(), SimpleNamespace()).time_limit is None


def test_vectors_are_actions_too():
    box = SimpleNamespace(low=-1.0, high=np.array([1.0, 2.0]), shape=(2,))
    assert Gymnax(StandIn(actions=box), Parameters()).actions == Box((-1.0, -1.0), (1.0, 2.0))


def test_what_is_not_of_gymnax_is_refused():
    with pytest.raises(InputError, match=r"^CartPole is no environment of gymnax, because it has no reset_env\(\)"):
        Gymnax(CartPole(), Parameters())
    picture = SimpleNamespace(low=0.0, high=1.0, shape=(2, 2))
    with pytest.raises(InputError, match=r"^actions of StandIn-v0 are .*, but must be numbered or a vector"):
        Gymnax(StandIn(actions=picture), Parameters())
