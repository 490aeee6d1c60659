"""A rod that is swung up and held there."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from descend.rl._types import Array
from descend.rl.environments._spaces import Box


@dataclass(frozen=True)
class Pendulum:
    """A rod on a joint that turns it by a torque τ within ±2, too weak to lift it at once.

    With the angle θ from the upright, mass m = 1 and length l = 1:

        θ̇ ← clip(θ̇ + (3g / 2l · sin θ + 3 / (m l²) · τ) Δt, ±8),    θ ← θ + θ̇ Δt

    Each step costs θ² + 0.1 θ̇² + 0.001 τ² of the state before it, θ taken within ±π. There is no end but the time
    limit, and no threshold: a mean return of −200 is good.

    The same as Gymnasium's Pendulum-v1.

    >>> rod, torque = Pendulum(), jax.numpy.array([0.5])
    >>> state, reward, terminated = rod.step(jax.numpy.array([0.0, 1.0]), torque, jax.random.key(1))
    >>> round(float(reward), 6), bool(terminated), rod.observe(state).shape
    (-0.10025, False, (3,))

    Reference: Doya, "Reinforcement learning in continuous time and space", 2000, section 6.1.
    """

    gravity: float = 10.0
    strongest: float = 2.0
    interval: float = 0.05

    name: ClassVar[str] = "Pendulum-v1"
    observation_shape: ClassVar[tuple[int, ...]] = (3,)
    actions: ClassVar[Box] = Box((-2.0,), (2.0,))
    time_limit: ClassVar[int | None] = 200
    solved_at: ClassVar[float | None] = None

    def reset(self, key: jax.Array) -> jax.Array:
        """Any angle, and a speed within ±1."""
        most = jnp.array([math.pi, 1.0])
        return jax.random.uniform(key, (2,), minval=-most, maxval=most)

    def observe(self, state: jax.Array) -> jax.Array:
        """Cosine and sine of the angle, and the speed."""
        return jnp.stack([jnp.cos(state[0]), jnp.sin(state[0]), state[1]])

    def step(self, state: jax.Array, action: Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The next state; what the one before cost, negative; `False`."""
        angle, speed = state
        torque = jnp.clip(action[0], -self.strongest, self.strongest)
        # The angle itself goes on and on, as in Gymnasium: only its cost is of the shorter way to the top.
        within = (angle + math.pi) % (2 * math.pi) - math.pi
        cost = within**2 + 0.1 * speed**2 + 0.001 * torque**2
        faster = speed + (1.5 * self.gravity * jnp.sin(angle) + 3 * torque) * self.interval
        speed = jnp.clip(faster, -8, 8)
        return jnp.stack([angle + speed * self.interval, speed]), -cost, jnp.zeros((), bool)
