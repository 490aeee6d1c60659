"""Parameters of half precision: an optimizer steps masters of them, in float32, and tells how their rounding moves.

A bfloat16 has 8 bits and a float16 has 11, so that 1 + 10⁻⁴ is 1: small steps would be lost one by one, and what is
averaged over many steps with them. Whatever optimizer is the outermost one does all that it does with the masters,
which are part of its state; so no rule and no modifier knows of half precision.

Reference: Micikevicius et al., "Mixed precision training", arXiv 1710.03740.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import jax

from descend._arrays import Array, is_array, namespace
from descend._checks import refuse_half_precision, refuse_other_structure
from descend._tree import Tree


class Mastered(NamedTuple):
    """The state of an optimizer of parameters of half precision: `masters`, these in float32 (`None` for others), and
    the `state` that steps them."""

    masters: Tree
    state: Any


def is_half(leaf: object) -> bool:
    """Whether that is an array of less than 32 bits a number."""
    return is_array(leaf) and "float" in str(leaf.dtype) and leaf.dtype.itemsize < 4


def with_masters(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of an optimizer's contract, called `name`, that steps masters where parameters are of half precision."""
    made = _METHODS.get(name, _of_state)(method)
    return wraps(method)(made)


def _init(method: Callable[..., Any]) -> Callable[..., Any]:
    def init(self: Any, params: Tree) -> Any:
        if not any(map(is_half, jax.tree.leaves(params))):
            return method(self, params)
        if self.solves_equations:
            refuse_half_precision(type(self).__name__, params)
        masters = jax.tree.map(lambda p: _wide(p) if is_half(p) else None, params)
        return Mastered(masters, method(self, jax.tree.map(_wide, params)))

    return init


def _update(method: Callable[..., Any]) -> Callable[..., Any]:
    def update(self: Any, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, Any]:
        if not isinstance(state, Mastered):
            return method(self, grads, state, params, **extra)
        base = grads if params is None else params
        treedef: Any = jax.tree.structure(base)
        before = [None] * treedef.num_leaves if params is None else jax.tree.leaves(params)
        masters = [_present(*pair) for pair in zip(_masters(base, state), before, strict=True)]
        given = None if params is None else treedef.unflatten(
            [p if m is None else m for m, p in zip(masters, before, strict=True)]
        )
        wide = treedef.unflatten([_wide(g) for g in refuse_other_structure(base, grads, "parameters")])
        updates, inner = method(self, wide, state.state, given, **_of_masters(extra, base))
        moved, after = [], []
        for u, m, p, like in zip(treedef.flatten_up_to(updates), masters, before, jax.tree.leaves(base), strict=True):
            new = None if m is None else m + u
            # How the rounding moves, and not the update itself: most are less than half of a rounding unit, and would
            # be lost.
            moved.append(u if m is None else _narrow(new, like) - (_narrow(m, like) if p is None else p))
            after.append(new)
        return treedef.unflatten(moved), Mastered(treedef.unflatten(after), inner)

    return update


def _eval_params(method: Callable[..., Any]) -> Callable[..., Any]:
    def eval_params(self: Any, state: Tree, params: Tree) -> Tree:
        if not isinstance(state, Mastered):
            return method(self, state, params)
        return jax.tree.map(_narrow, method(self, state.state, _given(state, params)), params)

    return eval_params


def _accepted_iterate(method: Callable[..., Any]) -> Callable[..., Any]:
    def accepted_iterate(self: Any, state: Tree, here: Any) -> Any:
        if not isinstance(state, Mastered):
            return method(self, state, here)
        wide = here._replace(params=_given(state, here.params), grads=jax.tree.map(_wide, here.grads))
        there = method(self, state.state, wide)
        narrow = lambda tree: jax.tree.map(_narrow, tree, here.params)
        return there._replace(params=narrow(there.params), grads=narrow(there.grads))

    return accepted_iterate


def _of_state_and_params(method: Callable[..., Any]) -> Callable[..., Any]:
    def told(self: Any, state: Tree, params: Tree) -> Any:
        if not isinstance(state, Mastered):
            return method(self, state, params)
        return method(self, state.state, _given(state, params))

    return told


def _of_state(method: Callable[..., Any]) -> Callable[..., Any]:
    def told(self: Any, state: Tree) -> Any:
        return method(self, state.state if isinstance(state, Mastered) else state)

    return told


_METHODS = {"init": _init, "update": _update, "eval_params": _eval_params, "accepted_iterate": _accepted_iterate,
            "rates": _of_state_and_params, "free": _of_state_and_params,
            "preconditioner": _of_state_and_params}
METHODS = (*_METHODS, "metrics", "stalled", "expected_fall", "skipped_update")


def _masters(base: Tree, state: Mastered) -> list[Any]:
    return refuse_other_structure(base, state.masters, "the masters of this state")


def _given(state: Mastered, params: Tree) -> Tree:
    """The parameters as they are stepped."""
    treedef: Any = jax.tree.structure(params)
    leaves = jax.tree.leaves(params)
    masters = map(_present, _masters(params, state), leaves)
    return treedef.unflatten([p if m is None else m for m, p in zip(masters, leaves, strict=True)])


def _present(master: Array | None, p: Array | None) -> Any:
    """The master of a parameter; where that is not its rounding, somebody else has moved the parameter, and it begins
    there."""
    if master is None or p is None:
        return master
    return namespace(p).where(_narrow(master, p) == p, master, _wide(p))


def _of_masters(extra: dict[str, Any], like: Tree) -> dict[str, Any]:
    """The functions of the parameters as functions of their masters."""
    own = dict(extra)
    narrow = lambda tree: jax.tree.map(_narrow, tree, like)
    for name in ("value_fn", "residual_fn"):
        if (function := extra.get(name)) is not None:
            own[name] = lambda params, function=function: function(narrow(params))
    if (value_and_grad := extra.get("value_and_grad")) is not None:

        def of_masters(params: Tree) -> tuple[Any, Tree]:
            value, grads = value_and_grad(narrow(params))
            return value, jax.tree.map(_wide, grads)

        own["value_and_grad"] = of_masters
    return own


def _wide(leaf: Any) -> Any:
    """An array of half precision in float32; all else as it is."""
    return namespace(leaf).asarray(leaf, dtype=namespace(leaf).float32) if is_half(leaf) else leaf


def _narrow(leaf: Any, like: Array) -> Any:
    """An array in the dtype of another, rounded. XLA leaves conversions out that are undone at once: it must not."""
    if not is_half(like):
        return leaf
    if isinstance(leaf, jax.Array):
        kind = jax.numpy.finfo(like.dtype)
        leaf = jax.lax.reduce_precision(leaf, kind.nexp, kind.nmant)
    return namespace(leaf).asarray(leaf, dtype=like.dtype)
