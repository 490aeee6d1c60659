"""The car in the valley, pushed as strongly as the agent likes."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from descend.rl._types import Array
from descend.rl.environments._spaces import Box
from descend.rl.environments.mountain_car import parked, rolled


@dataclass(frozen=True)
class MountainCarContinuous:
    """A car that must swing itself out of a valley, pushed by any force a within ±1.

        v ← clip(v + 0.0015 a − 0.0025 cos 3x, ±0.07),    x ← clip(x + v, −1.2, 0.6)

    The wall at −1.2 stops the car. Each step gives −0.1 a², with a as it was chosen and not as it was clipped, and the
    last one, which reaches x = 0.45, gives 100 more.

    The same as Gymnasium's MountainCarContinuous-v0.

    >>> car, push = MountainCarContinuous(), jax.numpy.array([0.5])
    >>> state, reward, terminated = car.step(car.reset(jax.random.key(0)), push, jax.random.key(1))
    >>> round(float(reward), 6), bool(terminated), car.observe(state).shape
    (-0.025, False, (2,))

    Reference: Moore, "Efficient memory-based learning for robot control", 1990.
    """

    force: float = 0.0015
    goal: float = 0.45

    name: ClassVar[str] = "MountainCarContinuous-v0"
    observation_shape: ClassVar[tuple[int, ...]] = (2,)
    actions: ClassVar[Box] = Box((-1.0,), (1.0,))
    time_limit: ClassVar[int | None] = 999
    solved_at: ClassVar[float | None] = 90.0

    def reset(self, key: jax.Array) -> jax.Array:
        """Position and speed of a car that stands at the bottom."""
        return parked(key)

    def observe(self, state: jax.Array) -> jax.Array:
        """The state."""
        return state

    def step(self, state: jax.Array, action: Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The next state; what the push cost, and 100 for reaching the goal; whether it is reached."""
        push = action[0]
        state = rolled(state, jnp.clip(push, -1, 1) * self.force)
        terminated = (state[0] >= self.goal) & (state[1] >= 0)
        # The cost is of the push as it was chosen. Gymnasium has it so, and a policy that chooses what is cut off pays.
        return state, jnp.where(terminated, 100.0, 0.0) - 0.1 * push**2, terminated
