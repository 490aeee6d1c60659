"""Advantages: how much better an action turned out than was to be expected."""

import jax
import jax.numpy as jnp

from descend.rl._types import Array
from descend.schedules import Rate


def advantages(
    rewards: Array, values: Array, next_values: Array, terminated: Array, done: Array, gamma: Rate, gae_lambda: Rate
) -> jax.Array:  # fmt: skip
    """Generalised advantage estimates, of steps along the first axis:

        δₜ = rₜ + γ v(oₜ₊₁) − v(oₜ)        without v(oₜ₊₁) where the episode terminated at t
        Aₜ = δₜ + γ λ Aₜ₊₁                  without Aₜ₊₁ where it ended at t, whatever for

    `next_values`: of the observation that a step led to, before any reset. An episode that was cut off goes on, as far
    as value is concerned: there the chain of δ ends, but v(oₜ₊₁) counts. λ = 1 gives returns minus values, λ = 0
    differences of one step.

    Reference: Schulman et al., "High-dimensional continuous control using generalized advantage estimation",
    arXiv 1506.02438.
    """
    # 1. The error of one step's forecast. Only where there was a real end is nothing to come: to set v(oₜ₊₁) to 0 at a
    #    limit of time, too, as is often done, teaches the critic that the world ends at a moment that it cannot see.
    deltas = rewards + gamma * jnp.where(terminated, 0.0, next_values) - values
    # 2. How much of the later errors counts for a step. The next row in memory is another episode after any kind of
    #    end.
    kept = gamma * gae_lambda * ~done

    # 3. The sum, from the last step back: each step needs that of the one after it.
    def back(later: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        delta, keep = step
        advantage = delta + keep * later
        return advantage, advantage

    return jax.lax.scan(back, jnp.zeros_like(deltas[0]), (deltas, kept), reverse=True)[1]
