"""Trees as vectors: sums, products and norms over all of their numbers, in any array world."""

import math
from functools import reduce
from typing import Any

import jax

from descend._arrays import Array, Scalar, as_scalar, namespace
from descend._tree import Tree
from descend.optimizers import _sums


def inner(xs: Tree, ys: Tree) -> Any:
    """`Σ x·y`."""
    return _sums.dot(jax.tree.leaves(xs), jax.tree.leaves(ys))


def tree_norm(xs: Tree) -> Any:
    """`√Σ x²`."""
    return _sums.norm(jax.tree.leaves(xs))


def largest(xs: Tree) -> Any:
    """`max |x|`; 1 where all are 0."""
    leaves = jax.tree.leaves(xs)
    zero = zero_of(xs)
    each = [as_scalar(abs(x).max(), zero) for x in leaves if math.prod(x.shape)]
    most = reduce(namespace(zero).maximum, each, zero)
    return most + (most == 0)


def zero_of(xs: Tree) -> Any:
    """0, of the kind and dtype that sums over the tree have."""
    return _sums.as_sum(0.0, jax.tree.leaves(xs))


def size(xs: Tree) -> int:
    """How many numbers there are."""
    return sum(math.prod(x.shape) for x in jax.tree.leaves(xs))


def times(factor: Scalar, xs: Tree) -> Tree:
    """`factor · x`, in the dtype of each array."""
    return jax.tree.map(lambda x: as_scalar(factor, x) * x, xs)


def plus(xs: Tree, factor: Scalar, ys: Tree) -> Tree:
    """`x + factor · y`, in the dtype of each array."""
    return jax.tree.map(lambda x, y: x + as_scalar(factor, x) * y, xs, ys)


def where(condition: Array, xs: Tree, ys: Tree) -> Tree:
    """One tree or the other, in buffers of its own."""
    return jax.tree.map(lambda x, y: namespace(y).where(condition, x, y), xs, ys)
