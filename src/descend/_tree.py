"""Trees of parameters: naming, splitting, casting and measuring them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend.errors import InputError

Tree = Any  # any pytree: an array, a dict, an Equinox module, Flax state


def path_name(path: tuple[Any, ...]) -> str:
    """A leaf's path as people write it: `layers/0/weight`; `params` for a bare array."""
    return jax.tree_util.keystr(path, simple=True, separator="/") or "params"


def named_leaves(tree: Tree) -> dict[str, Any]:
    """The leaves of a tree by path, in the tree's order."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def is_number(leaf: Any) -> bool:
    """Whether a leaf is something to calculate with, rather than a function, a name or a flag."""
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic, int, float, complex)) and not isinstance(leaf, bool)


def split(tree: Tree) -> tuple[Tree, Tree]:
    """The tree's numbers, and everything else (activation functions, names); `join` puts them together again."""
    return (
        jax.tree.map(lambda leaf: leaf if is_number(leaf) else None, tree),
        jax.tree.map(lambda leaf: None if is_number(leaf) else leaf, tree),
    )


def join(numbers: Tree, rest: Tree) -> Tree:
    """The inverse of `split`."""
    return jax.tree.map(lambda x, y: y if x is None else x, numbers, rest, is_leaf=lambda leaf: leaf is None)


def norm(tree: Tree) -> jax.Array:
    """The Euclidean norm of all of a tree's numbers together."""
    return jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(tree)))


def as_parameters(tree: Tree, dtype: Any = np.float32) -> Tree:
    """Fresh JAX arrays of `dtype` for the numbers of `tree`; a (nested) list of plain numbers is one array.

    The arrays are copies, because a descent donates its buffers and must not eat the caller's.

    **Raises** `InputError` for trees without numbers and for leaves that are not real floating-point numbers,
    because no gradient step can move an integer.
    """
    if _is_plain_list(tree):
        tree = np.asarray(tree)
    if not any(is_number(leaf) for leaf in jax.tree.leaves(tree)):
        raise InputError("the parameters hold no numbers: there is nothing to descend on")

    def convert(path: tuple[Any, ...], leaf: Any) -> Any:
        if not is_number(leaf):
            return leaf
        kind = jnp.result_type(leaf)
        if not jnp.issubdtype(kind, jnp.floating):
            complex_leaf = jnp.issubdtype(kind, jnp.complexfloating)
            hint = "descend on its real and imaginary parts" if complex_leaf else "write 1.0 for 1, or .astype(float)"
            raise InputError(f"parameter '{path_name(path)}' has dtype {np.asarray(leaf).dtype}, which gradient "
                             f"descent cannot move: {hint}")
        return jnp.array(leaf, dtype=dtype, copy=True)

    with precision(np.zeros((), dtype)):
        return jax.tree_util.tree_map_with_path(convert, tree)


def _is_plain_list(tree: Tree) -> bool:
    return isinstance(tree, (list, tuple)) and len(tree) > 0 and all(
        _is_plain_list(leaf) or (isinstance(leaf, (int, float, complex, np.generic)) and not isinstance(leaf, bool))
        for leaf in tree
    )
