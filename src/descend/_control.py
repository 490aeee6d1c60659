"""Choices and loops that depend on numbers, in any array world: compiled for JAX, plain Python elsewhere.

Choices are plain Python for JAX's arrays, too, where their numbers are known: a choice by itself would be compiled
again at every call.
"""

from collections.abc import Callable
from typing import Any

import jax

from descend._arrays import Array, namespace
from descend._tree import Tree


def choose(condition: bool | Array, then: Callable[..., Any], otherwise: Callable[..., Any], *operands: Any) -> Any:
    """`then(*operands)` where the condition holds, else `otherwise(*operands)`; both give trees of one structure."""
    # Only what is traced has no truth yet: then both are compiled.
    if isinstance(condition, jax.core.Tracer):
        return jax.lax.cond(condition, then, otherwise, *operands)
    return then(*operands) if condition else otherwise(*operands)


def select(condition: bool | Array, then: Tree, otherwise: Tree) -> Tree:
    """One of two trees that are there already."""
    if isinstance(condition, jax.Array):
        return jax.tree.map(lambda a, b: jax.numpy.where(condition, a, b), then, otherwise)
    return then if condition else otherwise


def repeat(test: Callable[[Any], Any], body: Callable[[Any], Any], carry: Tree) -> Any:
    """`body` again and again, for as long as the test holds."""
    if isinstance(test(carry), jax.Array):
        return jax.lax.while_loop(test, body, carry)
    while test(carry):
        carry = body(carry)
    return carry


def unmoved(params: Tree) -> Tree:
    """Updates that leave every bit as it is: −0, because 0 added to −0 is 0."""
    return jax.tree.map(lambda p: namespace(p).full_like(p, -0.0), params)
