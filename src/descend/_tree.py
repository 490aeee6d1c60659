"""Trees of parameters: naming, splitting, casting and measuring them."""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import precision
from descend.errors import InputError

# Any pytree: an array, a dict, an Equinox module, Flax state.
Tree = Any


def path_name(path: tuple[Any, ...]) -> str:
    """A leaf's path as people write it: `layers/0/weight`; `params` for a bare array."""
    return jax.tree_util.keystr(path, simple=True, separator="/") or "params"


def named_leaves(tree: Tree) -> dict[str, Any]:
    """The leaves of a tree by path, in the tree's order."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def is_number(leaf: object) -> bool:
    """Whether a leaf is something to calculate with, rather than a function, a name or a flag."""
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic, int, float, complex)) and not isinstance(leaf, bool)


def _are_numbers(tree: Tree) -> Tree:
    """Which leaves are parameters: numbers, but for those of Equinox modules that are no arrays.

    There, a plain number is a setting, such as the rate of a dropout, by that library's convention.
    """
    # It need not be imported here: whoever has a module of it has done so.
    equinox = sys.modules.get("equinox")
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
    """The Euclidean norm of all of a tree's numbers together; rounding errors grow with the logarithm of their count.

    XLA adds up an array on a CPU one number after the other. Small arrays, whose sums would take longer than a step on
    them, are therefore folded along their first axis, many numbers at a time.
    """
    return _norm(_gathered(tree))


def scaled_norm(tree: Tree) -> jax.Array:
    """The Euclidean norm, also where the squares of the numbers overflow or vanish; it takes two passes over them."""
    arrays = _gathered(tree)
    largest = jnp.stack([jnp.max(jnp.abs(array)) for array in arrays]).max()
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return scale * _norm([array / scale for array in arrays])


# Numbers of an array, above which adding them up takes little beside what else is done with them.
LARGE_ARRAY = 2**14
# Numbers that are left of a fold. They are added one after the other.
FOLDED_SIZE = 32
# Small arrays of one shape. More are laid side by side, because each would take kernels of its own.
MAX_SEPARATE = 16


def _norm(arrays: list[jax.Array]) -> jax.Array:
    by_size: dict[int, list[jax.Array]] = {}
    for array in arrays:
        folded = _folded(array)
        by_size.setdefault(folded.size, []).append(folded)
    return jnp.sqrt(_sum([jnp.sum(_sum(parts)) for parts in by_size.values()]))


def _gathered(tree: Tree) -> list[jax.Array]:
    """The arrays of a tree; of many small ones that are alike, one array of them all."""
    alike: dict[Any, list[jax.Array]] = {}
    for leaf in jax.tree.leaves(tree):
        alike.setdefault((leaf.shape, leaf.dtype), []).append(leaf)
    together = lambda arrays: len(arrays) > MAX_SEPARATE and arrays[0].size <= LARGE_ARRAY
    parts = [[jnp.stack(arrays)] if together(arrays) else arrays for arrays in alike.values()]
    return [array for part in parts for array in part]


def _folded(array: jax.Array) -> jax.Array:
    """A few numbers with the same sum as the squares of `array`.

    In turns by a reduction and by adding slices, because XLA would make one reduction of two, a long one.
    """
    rest, by_slices = array * array, False
    if rest.size > LARGE_ARRAY:
        return jnp.sum(rest).reshape(1)
    while rest.size > FOLDED_SIZE:
        rest = rest.reshape([length for length in rest.shape if length > 1])
        length = rest.shape[0]
        count = next((n for n in range(min(FOLDED_SIZE, length), 1, -1) if length % n == 0), length)
        parts = rest.reshape(count, length // count, *rest.shape[1:])
        rest = _sum([parts[i] for i in range(count)]) if by_slices and count <= FOLDED_SIZE else jnp.sum(parts, axis=0)
        by_slices = not by_slices
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
