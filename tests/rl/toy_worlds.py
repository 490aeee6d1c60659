"""Small environments whose every number is known."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from descend.rl.environments import Box, Discrete


@dataclass(frozen=True)
class Walk:
    """Steps to either side of 0, each of which costs 1, until `goal` is reached on the right."""

    goal: int = 3
    time_limit: int | None = 12
    solved_at: float | None = -3.5
    name: str = "Walk"
    observation_shape: tuple[int, ...] = (2,)
    actions: ClassVar[Discrete] = Discrete(2)

    def reset(self, key):
        return jnp.zeros((), jnp.int32)

    def observe(self, state):
        return jnp.stack([state, jnp.ones_like(state)]).astype(jnp.float32)

    def step(self, state, action, key):
        state = state + 2 * action.astype(jnp.int32) - 1
        return state, jnp.float32(-1), state >= self.goal


@dataclass(frozen=True)
class Counter:
    """A count of the steps, which is the reward; it ends at `end`, is cut off at `time_limit`, and begins at random."""

    end: int = 5
    time_limit: int | None = None
    solved_at: float | None = None
    broken_at: int | None = None
    value: float = float("nan")
    name: str = "Counter"
    observation_shape: tuple[int, ...] = (1,)
    actions: ClassVar[Box] = Box((-1.0, -1.0), (1.0, 1.0))

    def reset(self, key):
        return {"count": jnp.int32(0), "mark": jax.random.uniform(key)}

    def observe(self, state):
        return state["count"][None].astype(jnp.float32) + 0.5

    def step(self, state, action, key):
        count = state["count"] + 1
        reward = count.astype(jnp.float32)
        if self.broken_at is not None:
            reward = jnp.where(count == self.broken_at, self.value, reward)
        return {"count": count, "mark": state["mark"]}, reward, count >= self.end


@dataclass(frozen=True)
class Coin:
    """One step, which earns 1 or loses 1 by chance, whatever is done."""

    solved_at: ClassVar[float] = 2.0
    time_limit: int | None = None
    name: str = "Coin"
    observation_shape: tuple[int, ...] = (1,)
    actions: ClassVar[Discrete] = Discrete(2)

    def reset(self, key):
        return jax.random.bernoulli(key)

    def observe(self, state):
        return jnp.zeros(1)

    def step(self, state, action, key):
        return state, jnp.where(state, 1.0, -1.0), jnp.bool_(True)
