"""Steps and rates in any array world: Python's own numbers, NumPy's, JAX's and PyTorch's."""

from types import ModuleType
from typing import Any

import numpy as np

from descend._arrays import Scalar, is_array, namespace


def real(step: Scalar) -> Any:
    """The step as a real number, of JAX's widest kind or of 64 bits: `int32 / int` is float32 in JAX and PyTorch."""
    return step.double() if hasattr(step, "double") else step * 1.0


def ramp(since: Scalar, length: Scalar) -> Any:
    """0 until the beginning, 1 from `length` steps after it on, and a straight line between."""
    # A stage of no length is a jump, and not 0/0.
    if isinstance(length, int) and length == 0:
        return real(since >= 0)
    part = real(since) / length
    return namespace(part).clip(part, 0.0, 1.0)


def smooth(part: Scalar) -> Any:
    """From 0 to 1 along half a cosine."""
    return (1 - namespace(part).cos(np.pi * part)) / 2


def mix(start: Scalar, end: Scalar, part: Scalar) -> Any:
    """From one rate to another; exact at both, also where one of them is tiny."""
    return start * (1 - part) + end * part


def warmed(rate: Scalar, step: Scalar, steps: int) -> Any:
    """The rate, after so many steps in which it rises linearly; the last of these has all of it."""
    # Of the step after this one: the first has a rate above 0, and the last of the rise has all of it.
    return rate * namespace(step).clip(real(step + 1) / steps, None, 1.0) if steps else rate


def at_least(rate: Scalar, floor: Scalar) -> Any:
    """The larger of the two."""
    return _world(rate, floor).clip(rate, floor, None)


def where(condition: Scalar, yes: Scalar, no: Scalar) -> Any:
    """`yes` where the condition holds, else `no`."""
    if not is_array(condition):
        return yes if condition else no
    # Python's numbers alone would become 32 bits in PyTorch.
    wide = 0.0 * real(condition)
    return _world(condition, yes, no).where(condition, yes + wide, no + wide)


def _world(*values: Scalar) -> ModuleType:
    """The namespace of the first that has one of its own; NumPy's for plain numbers."""
    return next((xp for xp in map(namespace, values) if xp is not np), np)
