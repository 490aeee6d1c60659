"""Numbers that all parameters have in common: sums over every array of a list, in any array world."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from descend._arrays import Array, Scalar, namespace

Arrays = Sequence[Any]


def dot(xs: Arrays, ys: Arrays) -> Any:
    """`Σ x·y`, at least in float32."""
    return sum(_dot(x, y) for x, y in zip(xs, ys, strict=True))


def norm(xs: Arrays) -> Any:
    """The Euclidean norm of all numbers together."""
    total = dot(xs, xs)
    return namespace(total).sqrt(total)


def sum_abs(xs: Arrays) -> Any:
    """`Σ |x|`, at least in float32."""
    return sum(namespace(x).sum(namespace(x).abs(_wide(x))) for x in xs)


def as_sum(value: Scalar, xs: Arrays) -> Any:
    """A number of the kind and dtype that sums over these arrays have."""
    xp = namespace(xs[0])
    return xp.asarray(value, dtype=reduce(xp.promote_types, [x.dtype for x in xs], xp.float32))


def ratio(x: Array, y: Array) -> Any:
    """`x / y`, and 0 where `y` is 0, without ever dividing by it."""
    # Not a choice after the division: NumPy would warn of it, and its derivative be no number.
    return x * (y != 0) / (y + (y == 0))


def _dot(x: Array, y: Array) -> Any:
    return namespace(x).vdot(_wide(x).reshape(-1), _wide(y).reshape(-1))


def _wide(x: Array) -> Any:
    """The array in float32, if it has fewer bits."""
    return x if x.dtype.itemsize >= 4 else namespace(x).asarray(x, dtype=namespace(x).float32)
