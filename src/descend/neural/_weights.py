"""Weights at first: drawn in NumPy, as a cast or zeros by JAX would be a program of their own for each shape."""

import jax
import numpy as np


def weights(values: np.ndarray) -> jax.Array:
    """These numbers, as weights in single precision."""
    return jax.device_put(np.asarray(values, np.float32))


def filled(length: int, value: float = 0.0) -> jax.Array:
    """So many weights of one value."""
    return weights(np.full(length, value))
