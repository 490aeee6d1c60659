"""What is given to a descent, checked: the seed, what a loss keeps, and that all of it are values."""

import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from descend._tree import Tree, is_number, path_name
from descend.errors import InputError


def random_key(seed: int) -> jax.Array:
    """`jax.random.key(seed)`, for JAX's usual generator without a program that is compiled for it.

    **Raises** `InputError` for a seed that is no whole number.
    """
    if not isinstance(seed, jax.core.Tracer) and not hasattr(seed, "__index__"):
        raise InputError(f"seed must be a whole number, but is {seed!r}")
    if jax.config.jax_default_prng_impl != "threefry2x32" or not 0 <= seed < 2**32:  # type: ignore[attr-defined]
        return jax.random.key(seed)
    return jax.random.wrap_key_data(jax.device_put(np.array([0, seed], np.uint32)), impl="threefry2x32")


def key_beside(key: jax.Array) -> jax.Array:
    """Another key that follows from this one, again without a program that is compiled for it."""
    words = np.asarray(jax.random.key_data(key))
    beside = np.random.SeedSequence(words.ravel().tolist()).generate_state(words.size).reshape(words.shape)
    return jax.random.wrap_key_data(jax.device_put(beside), impl=jax.random.key_impl(key))


def refuse_tracers(what: str, **trees: Any) -> None:
    """Refuse what is given by one of JAX's transformations instead of by a value."""
    for name, tree in trees.items():
        if isinstance(tree, Iterator):
            # It gives batches, and to look into it would use them up.
            continue
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree)):
            raise InputError(f"{what} cannot be called within jax.jit, vmap or grad, where '{name}' has no value yet: "
                             "for many descents at once use descend.advance_many; to differentiate or compile a step, "
                             "the optimizer's own init and update")


def refuse_modules(loss: Any, params: Tree) -> None:
    """Refuse PyTorch's modules and tensors, which have a door of their own, wherever they are given."""
    # It need not be imported here: whoever has a module of it has done so.
    torch = sys.modules.get("torch")
    given = [] if isinstance(params, Iterator) else jax.tree.leaves(params)
    if torch and any(isinstance(leaf, torch.nn.Module | torch.Tensor) for leaf in (loss, *given)):
        raise InputError("JAX does not differentiate what is PyTorch's: train a module by "
                         "descend.torch.minimize(module, loss, data)")


def state_arrays(state: Tree) -> Tree:
    """The state at first as arrays, with the dtypes that a step gives them."""

    def convert(path: tuple[Any, ...], leaf: Any) -> Any:
        if isinstance(leaf, jax.Array):
            return leaf
        if not is_number(leaf) and not isinstance(leaf, bool):
            raise InputError(f"state '{path_name(path)}' must be a number or an array, but is {leaf!r}: what never "
                             "changes belongs into the loss")
        # A copy, as whoever gave the array may change it.
        return jax.device_put(np.array(leaf))

    return jax.tree_util.tree_map_with_path(convert, state)
