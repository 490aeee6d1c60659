"""Advantages: how much better an action turned out than was to be expected."""

from typing import Any

import jax
import jax.numpy as jnp


def advantages(
    rewards: Any, values: Any, next_values: Any, terminated: Any, done: Any, gamma: Any, gae_lambda: Any
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
    deltas = rewards + gamma * jnp.where(terminated, 0.0, next_values) - values
    kept = gamma * gae_lambda * ~done

    def back(later: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        delta, keep = step
        advantage = delta + keep * later
        return advantage, advantage

    return jax.lax.scan(back, jnp.zeros_like(deltas[0]), (deltas, kept), reverse=True)[1]
