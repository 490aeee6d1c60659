"""A step by itself, for loops of one's own: compiled, and in place."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from descend._arrays import precision
from descend._tree import Tree
from descend.optimizers._optimizer import Optimizer


def step(optimizer: Optimizer, grads: Tree, params: Tree, state: Tree, **extra: Any) -> tuple[Tree, Any]:
    """The parameters and the state after a step, for JAX arrays: one compiled program, in the buffers of the old ones.

    The old parameters and state are gone afterwards: at every step, new arrays would cost more than the step itself.
    `extra`: arrays among `update`'s extra arguments (`value`). In NumPy and in a program of your own, use `update`.

    >>> import jax.numpy as jnp
    >>> from descend.optimizers import SGD
    >>> rule, params = SGD(0.25), jnp.array([4.0, 8.0])
    >>> state = rule.init(params)
    >>> params, state = step(rule, 2 * params, params, state)
    >>> params
    Array([2., 4.], dtype=float32)
    """
    with precision(params):
        return _step(params, state, optimizer, grads, extra)


# JAX gives the buffers of what is donated to outputs of one shape in their order: results must leave as they came in,
# or every array is copied twice.
@partial(jax.jit, donate_argnums=(0, 1))
def _step(params: Tree, state: Tree, optimizer: Optimizer, grads: Tree, extra: dict[str, Any]) -> tuple[Tree, Any]:
    updates, state = optimizer.update(grads, state, params, **extra)
    return jax.tree.map(jnp.add, params, updates), state
