"""Two links that are swung up by the joint between them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from descend.rl.environments._spaces import Discrete

# Each number of the first state is drawn between minus and plus this.
RESET_RANGE = 0.1


@dataclass(frozen=True)
class Acrobot:
    """Two links that hang on each other and on a fixed joint; a torque τ of −1, 0 or 1 (the actions 0, 1, 2) acts
    between them, and the free end is to be swung above a line that is one link higher than the fixed joint.

    Both links have length 1, mass 1, moment of inertia 1, and their centre of mass at ½. With θ₁ from the vertical and
    θ₂ from the first link, and g = 9.8:

        d₁ = 3.5 + cos θ₂,    d₂ = 1.25 + ½ cos θ₂
        φ₂ = ½ g sin(θ₁ + θ₂)
        φ₁ = −½ θ̇₂² sin θ₂ − θ̇₁ θ̇₂ sin θ₂ + 1.5 g sin θ₁ + φ₂
        θ̈₂ = (τ + d₂ φ₁ / d₁ − ½ θ̇₁² sin θ₂ − φ₂) / (1.25 − d₂² / d₁)
        θ̈₁ = −(d₂ θ̈₂ + φ₁) / d₁

    by Runge and Kutta's steps of `interval` seconds; angles stay within ±π, and speeds within ±4π and ±9π. Each step
    gives −1, and the last one, after which −cos θ₁ − cos(θ₁ + θ₂) > 1, gives 0.

    The same as Gymnasium's Acrobot-v1.

    >>> acrobot = Acrobot()
    >>> state, reward, terminated = acrobot.step(acrobot.reset(jax.random.key(0)), 2, jax.random.key(1))
    >>> float(reward), bool(terminated), acrobot.observe(state).shape
    (-1.0, False, (6,))

    References: Sutton, "Generalization in reinforcement learning: successful examples using sparse coarse coding",
    1996; Sutton and Barto, "Reinforcement learning: an introduction", 1998, section 11.3, whose θ̈₂ this is.
    """

    gravity: float = 9.8
    interval: float = 0.2

    name: ClassVar[str] = "Acrobot-v1"
    observation_shape: ClassVar[tuple[int, ...]] = (6,)
    actions: ClassVar[Discrete] = Discrete(3)
    time_limit: ClassVar[int | None] = 500
    solved_at: ClassVar[float | None] = -100.0

    def reset(self, key: jax.Array) -> jax.Array:
        """θ₁, θ₂ and their speeds, all of them small: the links hang."""
        return jax.random.uniform(key, (4,), minval=-RESET_RANGE, maxval=RESET_RANGE)

    def observe(self, state: jax.Array) -> jax.Array:
        """Cosine and sine of both angles, and the speeds."""
        first, second = state[0], state[1]
        return jnp.stack([jnp.cos(first), jnp.sin(first), jnp.cos(second), jnp.sin(second), state[2], state[3]])

    def step(self, state: jax.Array, action: ArrayLike, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The next state; −1, or 0 at the end; whether the free end is above the line."""
        torque = jnp.asarray(jnp.asarray(action) - 1, state.dtype)
        state = _after(lambda s: self._motion(s, torque), state, self.interval)
        angles = (state[:2] + math.pi) % (2 * math.pi) - math.pi
        fastest = jnp.array([4 * math.pi, 9 * math.pi], state.dtype)
        state = jnp.concatenate([angles, jnp.clip(state[2:], -fastest, fastest)])
        terminated = -jnp.cos(state[0]) - jnp.cos(state[0] + state[1]) > 1
        return state, jnp.where(terminated, 0.0, -1.0), terminated

    def _motion(self, state: jax.Array, torque: jax.Array) -> jax.Array:
        """The state's derivative in time."""
        first, second, speed, bending = state
        sine, cosine = jnp.sin(second), jnp.cos(second)
        d1, d2 = 3.5 + cosine, 1.25 + 0.5 * cosine
        phi2 = 0.5 * self.gravity * jnp.sin(first + second)
        phi1 = -(0.5 * bending + speed) * bending * sine + 1.5 * self.gravity * jnp.sin(first) + phi2
        # The equation of the book of 1998. That of the paper of 1996 leaves out −½ θ̇₁² sin θ₂, and Gymnasium has both.
        bend = (torque + d2 / d1 * phi1 - 0.5 * speed**2 * sine - phi2) / (1.25 - d2**2 / d1)
        return jnp.stack([speed, bending, -(d2 * bend + phi1) / d1, bend])


def _after(motion: Callable[[jax.Array], jax.Array], state: jax.Array, interval: float) -> jax.Array:
    """The state one interval later, by the classical method of Runge and Kutta."""
    k1 = motion(state)
    k2 = motion(state + interval / 2 * k1)
    k3 = motion(state + interval / 2 * k2)
    k4 = motion(state + interval * k3)
    return state + interval / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
