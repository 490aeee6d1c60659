"""Half precision: networks that compute in bfloat16, while their parameters, losses and steps remain in float32.

Its numbers have the range of float32, so that no loss has to be scaled for it.

Reference: Micikevicius et al., "Mixed precision training", arXiv 1710.03740.
"""

import jax
import jax.numpy as jnp

from descend._tree import Tree
from descend.errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16")


def check_precision(precision: str) -> None:
    """Refuse one that there is not."""
    if precision not in PRECISIONS:
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, but is {precision!r}")


def is_half(precision: str) -> bool:
    """Whether to compute in half precision: if asked for, or left to us, where the device is made for it."""
    # Not on CPUs, of which many cannot multiply such numbers, and convert each of them first.
    return precision == "bfloat16" or (precision == "auto" and jax.default_backend() != "cpu")


def in_half(tree: Tree) -> Tree:
    """The tree with its float32 arrays in bfloat16."""

    def convert(leaf: Tree) -> Tree:
        is_single = isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32
        return leaf.astype(jnp.bfloat16) if is_single else leaf

    return jax.tree.map(convert, tree)
