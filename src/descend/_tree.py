"""Trees of parameters: naming, splitting, casting and measuring them."""

import sys
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


def _are_numbers(tree: Tree) -> Tree:
    """Which leaves are parameters: numbers, but for those of Equinox modules that are no arrays.

    There, a plain number is a setting, such as the rate of a dropout, by that library's convention.
    """
    equinox = sys.modules.get("equinox")  # who has a module has imported it
    is_module = lambda node: equinox is not None and isinstance(node, equinox.Module)
    is_array = lambda leaf: isinstance(leaf, (jax.Array, np.ndarray, np.generic))
    of_node = lambda node: jax.tree.map(is_array, node) if is_module(node) else is_number(node)
    return jax.tree.map(of_node, tree, is_leaf=is_module)


def split(tree: Tree) -> tuple[Tree, Tree]:
    """The tree's numbers, and everything else (activation functions, names); `join` puts them together again."""
    chosen = _are_numbers(tree)
    return (
        jax.tree.map(lambda leaf, number: leaf if number else None, tree, chosen),
        jax.tree.map(lambda leaf, number: None if number else leaf, tree, chosen),
    )


def join(numbers: Tree, rest: Tree) -> Tree:
    """The inverse of `split`."""
    return jax.tree.map(lambda x, y: y if x is None else x, numbers, rest, is_leaf=lambda leaf: leaf is None)


def described(tree: Tree) -> dict[str, str]:
    """The dtype and the shape of each of a tree's arrays, by path."""
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in named_leaves(tree).items()}


def norm(tree: Tree) -> jax.Array:
    """The Euclidean norm of all of a tree's numbers together.

    XLA adds up an array on a CPU one number after the other. Small arrays, whose sums would take longer than a step on
    them, are therefore folded: slices are added to slices, which is done many numbers at a time.
    """
    by_size: dict[int, list[jax.Array]] = {}
    for leaf in jax.tree.leaves(tree):
        squares = _folded(leaf.reshape(1) if leaf.ndim == 0 else leaf)
        by_size.setdefault(squares.size, []).append(squares)
    totals = [_sum(parts) for parts in by_size.values()]
    return jnp.sqrt(_sum([total[i] for total in totals for i in range(total.size)]))


def scaled_norm(tree: Tree) -> jax.Array:
    """The Euclidean norm, also where the squares of the numbers overflow or vanish; it takes two passes over them."""
    largest = jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)]).max()
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return scale * norm(jax.tree.map(lambda leaf: leaf / scale, tree))


LARGE = 2**14  # numbers, above which adding them up takes little beside what else is done with them
FEW, SLICES = 32, 16  # fold until so few numbers are left, by so many slices at a time


def _folded(leaf: jax.Array) -> jax.Array:
    """A few numbers with the same sum as the squares of `leaf`."""
    if leaf.size > LARGE:
        return jnp.sum(leaf * leaf).reshape(1)
    rest = leaf * leaf
    while rest.size > FEW:
        axis = 0 if rest.shape[0] > 1 else int(np.argmax(rest.shape))
        length = rest.shape[axis]
        slices = next((n for n in range(SLICES, 1, -1) if length % n == 0), SLICES)
        step = -(-length // slices)
        parts = [jax.lax.slice_in_dim(rest, i, min(i + step, length), axis=axis) for i in range(0, length, step)]
        missing = step - parts[-1].shape[axis]
        if missing:
            parts[-1] = jnp.pad(parts[-1], [(0, missing if i == axis else 0) for i in range(rest.ndim)])
        rest = _sum(parts)
    return rest.reshape(-1)


def _sum(parts: list[jax.Array]) -> jax.Array:
    """The sum of arrays of one shape, in pairs: rounding errors grow with the logarithm of their number."""
    while len(parts) > 1:
        parts = [parts[i] + parts[i + 1] if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]


def as_parameters(tree: Tree, dtype: Any = np.float32) -> Tree:
    """Arrays of `dtype` for the numbers of `tree`: JAX's as they are, all else as NumPy's, copied, as whoever gave them
    may change them; a (nested) list of plain numbers is one array.

    **Raises** `InputError` for trees without numbers and for leaves that are not real floating-point numbers,
    because no gradient step can move an integer.
    """
    if is_plain_list(tree):
        try:
            tree = np.asarray(tree)
        except ValueError as error:
            raise InputError(f"the parameters are a list that is no array: {error}") from None
    chosen = _are_numbers(tree)
    if not any(jax.tree.leaves(chosen)):
        raise InputError("the parameters hold no numbers: there is nothing to descend on")

    def convert(path: tuple[Any, ...], leaf: Any, number: bool) -> Any:
        if not number:
            return leaf
        kind = leaf.dtype if isinstance(leaf, jax.Array) else np.asarray(leaf).dtype
        if not jnp.issubdtype(kind, jnp.floating):
            complex_leaf = jnp.issubdtype(kind, jnp.complexfloating)
            other = "write 1.0 for 1, or .astype(float); what is not trained belongs into state="
            hint = "descend on its real and imaginary parts" if complex_leaf else other
            raise InputError(f"parameter '{path_name(path)}' has dtype {kind}, which gradient "
                             f"descent cannot move: {hint}")
        if isinstance(leaf, jax.Array):
            return leaf if leaf.dtype == dtype and not leaf.weak_type else leaf.astype(dtype)
        return np.array(leaf, dtype, copy=True)

    with precision(np.zeros((), dtype)):
        return jax.tree_util.tree_map_with_path(convert, tree, chosen)


def floating(dtype: Any) -> Any:
    """A floating-point type.

    **Raises** `InputError` if it is none.
    """
    try:
        known = np.dtype(dtype)
    except TypeError:
        raise InputError(f"dtype must be a floating-point type such as float32, but is {dtype!r}") from None
    if not jnp.issubdtype(known, jnp.floating):
        raise InputError(f"dtype must be a floating-point type such as float32, but is {known}")
    return known


def is_plain_list(tree: Tree) -> bool:
    """Whether this is a (nested) list or tuple of Python's or NumPy's scalars, which people mean as an array."""
    return isinstance(tree, (list, tuple)) and len(tree) > 0 and all(
        is_plain_list(item) or isinstance(item, (bool, int, float, complex, np.generic)) for item in tree
    )
