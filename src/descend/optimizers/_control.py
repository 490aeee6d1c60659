"""Choices and loops that depend on numbers, in any array world: compiled for JAX, plain Python elsewhere."""

from collections.abc import Callable
from typing import Any

import jax


def choose(condition: Any, then: Callable[..., Any], otherwise: Callable[..., Any], *operands: Any) -> Any:
    """`then(*operands)` where the condition holds, else `otherwise(*operands)`; both give trees of one structure."""
    if isinstance(condition, jax.Array):
        return jax.lax.cond(condition, then, otherwise, *operands)
    return then(*operands) if condition else otherwise(*operands)


def repeat(test: Callable[[Any], Any], body: Callable[[Any], Any], carry: Any) -> Any:
    """`body` again and again, for as long as the test holds."""
    if isinstance(test(carry), jax.Array):
        return jax.lax.while_loop(test, body, carry)
    while test(carry):
        carry = body(carry)
    return carry
