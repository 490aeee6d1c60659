"""A car in a valley that is too weak to drive straight out of it."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from descend.rl.environments._spaces import Discrete

# The walls, the highest speed, and what the steepest slope takes from it in a step: Gymnasium's numbers.
LEFT, RIGHT, MAX_SPEED, SLOPE = -1.2, 0.6, 0.07, 0.0025


def rolled(state: jax.Array, push: jax.Array) -> jax.Array:
    """Position and speed of a car a step later: pushed, drawn downhill, and stopped by the wall on the left."""
    speed = jnp.clip(state[1] + push - SLOPE * jnp.cos(3 * state[0]), -MAX_SPEED, MAX_SPEED)
    position = jnp.clip(state[0] + speed, LEFT, RIGHT)
    # The wall on the left takes the speed, and the one on the right is never hit: the goal lies before it.
    return jnp.stack([position, jnp.where((position <= LEFT) & (speed < 0), 0.0, speed)])


def parked(key: jax.Array) -> jax.Array:
    """A car that stands at the bottom of the valley."""
    return jnp.stack([jax.random.uniform(key, minval=-0.6, maxval=-0.4), jnp.zeros(())])


@dataclass(frozen=True)
class MountainCar:
    """A car that must swing itself out of a valley, pushed to the left, not at all, or to the right (0, 1, 2).

        v ← clip(v + 0.001 (a − 1) − 0.0025 cos 3x, ±0.07),    x ← clip(x + v, −1.2, 0.6)

    The wall at −1.2 stops the car. Each step gives −1, until it reaches x = 0.5.

    The same as Gymnasium's MountainCar-v0.

    >>> car = MountainCar()
    >>> state, reward, terminated = car.step(car.reset(jax.random.key(0)), 2, jax.random.key(1))
    >>> float(reward), bool(terminated), car.observe(state).shape
    (-1.0, False, (2,))

    Reference: Moore, "Efficient memory-based learning for robot control", 1990; in the form of Sutton and Barto,
    "Reinforcement learning: an introduction", 1998, section 8.4.
    """

    force: float = 0.001
    goal: float = 0.5

    name: ClassVar[str] = "MountainCar-v0"
    observation_shape: ClassVar[tuple[int, ...]] = (2,)
    actions: ClassVar[Discrete] = Discrete(3)
    time_limit: ClassVar[int | None] = 200
    solved_at: ClassVar[float | None] = -110.0

    def reset(self, key: jax.Array) -> jax.Array:
        """Position and speed of a car that stands at the bottom."""
        return parked(key)

    def observe(self, state: jax.Array) -> jax.Array:
        """The state."""
        return state

    def step(self, state: jax.Array, action: ArrayLike, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The next state; −1; whether the car has reached its goal."""
        state = rolled(state, (jnp.asarray(action) - 1) * self.force)
        # Not for a car that rolls back over the goal, which Gymnasium does not count, either.
        return state, -jnp.ones_like(state[0]), (state[0] >= self.goal) & (state[1] >= 0)
