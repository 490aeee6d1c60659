"""Refusing what cannot be stepped: parameters that no gradient moves, trees that differ."""

from typing import Any

import jax

from descend._arrays import Array, is_array, namespace
from descend._tree import Tree, named_leaves
from descend.errors import InputError


def refuse_unmovable(name: str, params: Tree) -> None:
    """Refuse parameters without an array, and leaves that are no real floating-point arrays."""
    if not jax.tree.leaves(params):
        raise InputError(f"{name} has nothing to step: the parameters are an empty tree")
    for path, leaf in named_leaves(params).items():
        if not is_array(leaf):
            raise InputError(f"{name} steps arrays, but parameter '{path}' is a {type(leaf).__name__}")
        kind = str(leaf.dtype)
        if "float" not in kind:
            hint = "descend on its real and imaginary parts" if "complex" in kind else "freeze it, or make it float"
            raise InputError(f"{name} cannot move parameter '{path}' of dtype {kind}: {hint}")


def refuse_misfits(grads: Tree, params: Tree) -> None:
    """Refuse gradients whose structure, shapes or dtypes are not those of the parameters."""
    refuse_other_structure(grads, params, "parameters")
    for (path, g), p in zip(named_leaves(grads).items(), jax.tree.leaves(params), strict=True):
        if not is_array(g):
            raise InputError(f"gradients are arrays, but that of '{path}' is a {type(g).__name__}")
        if tuple(g.shape) != tuple(p.shape) or g.dtype != p.dtype or namespace(g) is not namespace(p):
            raise InputError(f"the gradient of '{path}' is {described(g)}, but the parameter {described(p)}")


def refuse_other_structure(grads: Tree, tree: Tree, what: str) -> list[Any]:
    """The parts of `tree`, one for each leaf of `grads`; refused if it has others."""
    treedef: Any = jax.tree.structure(grads)
    try:
        return treedef.flatten_up_to(tree)
    except (ValueError, TypeError, KeyError):
        differ = set(named_leaves(grads)) ^ set(named_leaves(tree))
        raise InputError(f"gradients and {what} differ in structure" +
                         (f", at {', '.join(sorted(differ)[:5])}" if differ else "")) from None


def refuse_other_shapes(name: str, before: Tree, after: Tree) -> None:
    """Refuse a state that was made for arrays of other shapes: stepping has broadcast it."""
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        if tuple(old.shape) != tuple(new.shape):
            raise InputError(f"this state of {name} holds arrays of shape {list(old.shape)} where the parameters need "
                             f"{list(new.shape)}: it belongs to other parameters")


def described(array: Array) -> str:
    """An array's world, dtype and shape in a few characters."""
    return f"{namespace(array).__name__}'s {str(array.dtype).removeprefix('torch.')}{list(array.shape)}"


def refuse_half_precision(name: str, params: Tree) -> None:
    """Refuse parameters of less than 32 bits, for a rule whose linear algebra there is not for them."""
    for path, leaf in named_leaves(params).items():
        if is_array(leaf) and "float" in str(leaf.dtype) and leaf.dtype.itemsize < 4:
            raise InputError(f"{name} solves equations, for which {leaf.dtype} ('{path}') has too few digits: descend "
                             "in float32 or float64, dtype=np.float32")
