"""A pole that is balanced on a cart."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from descend.rl.environments._spaces import Discrete

# Each number of the first state is drawn between minus and plus this.
RESET_RANGE = 0.05


@dataclass(frozen=True)
class CartPole:
    """A pole, hinged on a cart, that is kept upright by pushing the cart to the left (0) or to the right (1).

    Of the cart's position x and the pole's angle θ, with masses M and m, half the pole's length l, and the push F:

        u  = (F + m l θ̇² sin θ) / (M + m)
        θ̈  = (g sin θ − u cos θ) / (l (4/3 − m cos² θ / (M + m)))
        ẍ  = u − m l θ̈ cos θ / (M + m)

    by Euler's steps of `interval` seconds. Each step gives 1, and the episode ends when |x| > 2.4 or |θ| > 12°.

    The same, number for number, as Gymnasium's CartPole-v1.

    >>> pole = CartPole()
    >>> state = pole.reset(jax.random.key(0))
    >>> state, reward, terminated = pole.step(state, 1, jax.random.key(1))
    >>> float(reward), bool(terminated), pole.observe(state).shape
    (1.0, False, (4,))

    References: Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning control
    problems", 1983; Florian, "Correct equations for the dynamics of the cart-pole system", 2007, without friction.
    """

    gravity: float = 9.8
    cart_mass: float = 1.0
    pole_mass: float = 0.1
    half_length: float = 0.5
    push: float = 10.0
    interval: float = 0.02
    farthest: float = 2.4
    steepest: float = math.radians(12)

    name: ClassVar[str] = "CartPole-v1"
    observation_shape: ClassVar[tuple[int, ...]] = (4,)
    actions: ClassVar[Discrete] = Discrete(2)
    time_limit: ClassVar[int | None] = 500
    solved_at: ClassVar[float | None] = 475.0

    def reset(self, key: jax.Array) -> jax.Array:
        """x, ẋ, θ and θ̇, all of them small."""
        return jax.random.uniform(key, (4,), minval=-RESET_RANGE, maxval=RESET_RANGE)

    def observe(self, state: jax.Array) -> jax.Array:
        """The state."""
        return state

    def step(self, state: jax.Array, action: ArrayLike, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The next state; 1; whether the cart is too far away, or the pole too steep."""
        x, speed, angle, turning = state
        mass, moment = self.cart_mass + self.pole_mass, self.pole_mass * self.half_length
        sine, cosine = jnp.sin(angle), jnp.cos(angle)
        force = jnp.where(action == 1, self.push, -self.push)
        alone = (force + moment * turning**2 * sine) / mass
        inertia = self.half_length * (4 / 3 - self.pole_mass * cosine**2 / mass)
        turn = (self.gravity * sine - cosine * alone) / inertia
        change = jnp.stack([speed, alone - moment * turn * cosine / mass, turning, turn])
        # Euler's explicit step: positions move by the speeds before the push. It is not the best one, but it is that of
        # Gymnasium, and a policy is to meet the same world in both.
        state = state + self.interval * change
        terminated = (jnp.abs(state[0]) > self.farthest) | (jnp.abs(state[2]) > self.steepest)
        return state, jnp.ones_like(x), terminated
