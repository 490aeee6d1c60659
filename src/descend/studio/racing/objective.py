"""A function to race on: as a loss for the engine, as a surface to draw, and how it curves."""

from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend.studio.racing.formula import Formula
from descend.studio.racing.gallery import Window

# Points that the program of the curvature takes at once: one program, however many there are.
CURVATURE_POINTS = 512


class Objective:
    """What a formula is to the engine. Programs are kept for as long as it lives, as they belong to its losses."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula

        def loss(point: jax.Array) -> Any:
            return formula(point[0], point[1])

        def noisy_loss(point: jax.Array, state: jax.Array, key: jax.Array) -> Any:
            # A random slope through the point: its gradient is the noise, of standard deviation `state` in each
            # direction, and its height is 0. A state and not a constant, so that other noise is no other program.
            slope = state * _normal_pair(key, point)
            return loss(point) + slope @ (point - jax.lax.stop_gradient(point)), state, {}

        self.loss, self.noisy_loss = loss, noisy_loss

    def surface(self, window: Window, size: tuple[int, int]) -> np.ndarray:
        """The heights on a grid of `size`, (columns, rows), over a window: a row for each y, from the lowest on."""
        x0, x1, y0, y1 = window
        x, y = np.meshgrid(np.linspace(x0, x1, size[0]), np.linspace(y0, y1, size[1]))
        with np.errstate(all="ignore"):
            return np.asarray(self.formula(x, y), np.float64)

    def sharpness(self, points: np.ndarray, divisors: np.ndarray) -> np.ndarray:
        """The largest eigenvalue of `D^−½ H D^−½` at each point, of the Hessian H there and D of its `divisors`."""
        count, found = len(points), []
        with precision(points):
            for first in range(0, count, CURVATURE_POINTS):
                end = first + CURVATURE_POINTS
                missing = ((0, max(0, end - count)), (0, 0))
                filled = (np.pad(each[first:end], missing, "edge") for each in (points, divisors))
                found.append(self._sharpness(*filled))
        return np.concatenate(found)[:count]

    @cached_property
    def _sharpness(self) -> Any:
        hessian = jax.hessian(self.loss)

        def one(point: jax.Array, divisor: jax.Array) -> Any:
            (a, b), (_, d) = hessian(point) / jnp.sqrt(jnp.outer(divisor, divisor))
            return (a + d) / 2 + jnp.hypot((a - d) / 2, b)

        return jax.jit(jax.vmap(one))


def _normal_pair(key: jax.Array, like: jax.Array) -> jax.Array:
    """Two normal numbers of a key that is used for nothing else, by Box and Muller's transform of its own bits.

    `jax.random.normal` would have them drawn anew, which makes the step take twice as long, and longer to compile.
    """
    u, v = jax.random.key_data(key)[:2].astype(like.dtype) / 2**32
    angle = 2 * jnp.pi * v
    return jnp.sqrt(-2 * jnp.log1p(-u)) * jnp.stack([jnp.cos(angle), jnp.sin(angle)])
