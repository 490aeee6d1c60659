"""Settings: frozen dataclasses that are pytrees, and the refusal of those that make no sense."""

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar, dataclass_transform

import jax
import numpy as np
from jax.tree_util import GetAttrKey

from descend._arrays import Array, is_array
from descend._flags import settle_flags
from descend.errors import InputError

S = TypeVar("S")

POSITIVE = (0.0, math.inf)
FRACTION = (0.0, 1.0)


def fixed(default: Any = dataclasses.MISSING) -> Any:
    """A field that a compiled program is specialised to, instead of a number that may change under it."""
    return field(default=default, metadata={"fixed": True})


def switched(default: float) -> Any:
    """A number that 0 switches off: `has` tells whether it is on.

    There is less to remember and to calculate without it, so a compiled program is specialised to 0; any other number
    may change under it. An array is always on, as one of the numbers that it stands for may be.
    """
    return field(default=default, metadata={"switched": True})


@dataclass_transform(frozen_default=True, field_specifiers=(field, fixed, switched))
def setting(cls: type[S]) -> type[S]:
    """A frozen dataclass whose fields are leaves of a pytree, but for those declared with `fixed`, and those that are
    `switched` off. Fields of type `bool` must be True or False, which is seen to before its own checks."""
    _see_to_flags(cls)
    frozen: Any = dataclass(frozen=True)(cls)
    fields = dataclasses.fields(frozen)
    numbers = [f.name for f in fields if not f.metadata.get("fixed")]
    constants = [f.name for f in fields if f.metadata.get("fixed")]
    frozen._switched = tuple(f.name for f in fields if f.metadata.get("switched"))

    # Called at every dispatch, so it should be quick.
    def flatten(self: Any) -> tuple[list[Any], tuple[Any, ...]]:
        values, off = vars(self), _switched_off(self)
        return [None if name in off else values[name] for name in numbers], (off, *[values[name] for name in constants])

    def flatten_with_keys(self: Any) -> tuple[list[Any], tuple[Any, ...]]:
        values, rest = flatten(self)
        return [(GetAttrKey(name), value) for name, value in zip(numbers, values, strict=True)], rest

    def unflatten(rest: tuple[Any, ...], values: Any) -> Any:
        # Not by the constructor, which checks: the gradient of a schedule is a tree of its kind, and may be negative.
        made, (off, *others) = object.__new__(frozen), rest
        vars(made).update(zip(numbers, values, strict=True))
        vars(made).update(zip(constants, others, strict=True))
        # What is off belongs to the structure, which a tree keeps whatever becomes of its leaves, be it 0.
        vars(made).update(dict.fromkeys(off, 0.0), _off=off)
        return made

    jax.tree_util.register_pytree_with_keys(frozen, flatten_with_keys, unflatten, flatten)
    return frozen


def _see_to_flags(cls: Any) -> None:
    """Have a class that is to be a dataclass refuse what are no flags."""
    checks = getattr(cls, "__post_init__", None)

    def check(self: Any) -> None:
        settle_flags(self)
        if checks is not None:
            checks(self)

    cls.__post_init__ = check


def has(owner: Any, name: str) -> bool:
    """Whether a number is there that 0 would switch off."""
    return name not in _switched_off(owner)


def _switched_off(owner: Any) -> tuple[str, ...]:
    """The numbers that are off: as the structure has it that this was made from, or as their values say."""
    values, switched = vars(owner), owner._switched
    if not switched or "_off" in values:
        return values.get("_off", ())
    return tuple([name for name in switched if _is_plain(value := values[name]) and value == 0])


def require(owner: object, **ranges: tuple[float, float]) -> None:
    """Refuse settings outside `[low, high)`, and keep the others as `plain` numbers.

    A setting that is no number (a schedule, an array that is being traced, many rates in an array) is left to its user.
    """
    for name, (low, high) in ranges.items():
        value = getattr(owner, name)
        if all(map(is_known_scalar, (value, low, high))) and not low <= float(value) < high:
            raise InputError(f"{type(owner).__name__}: {name} must be at least {low:g} and below {high:g}, "
                             f"but is {value}")
        if isinstance(value, str):
            raise InputError(f"{type(owner).__name__}: {name} must be a number, but is {value!r}")
    plain(owner, *ranges)


def refuse_zeros(owner: object, name: str) -> None:
    """Refuse an array with a 0, where 0 takes another formula than the other numbers."""
    value = getattr(owner, name)
    if is_array(value) and not isinstance(value, jax.core.Tracer) and bool((value == 0).any()):
        raise InputError(f"{type(owner).__name__}: {name} is 0 in an array of numbers, but takes another formula there "
                         "than for the others: give 0 by itself, as a number")


def plain(owner: object, *names: str) -> None:
    """Keep settings that are whole numbers, or NumPy's, as Python's floats.

    NumPy promotes a float32 array that is multiplied by its own float64, and a program that was compiled for a whole
    number is not one for others.
    """
    for name in names:
        value = getattr(owner, name)
        if _is_plain(value):
            object.__setattr__(owner, name, float(value))


def is_known_scalar(value: object) -> TypeGuard[Array | float]:
    """Whether this is one number whose value can be looked at."""
    if isinstance(value, jax.core.Tracer):
        return False
    return isinstance(value, (int, float, np.number)) or (is_array(value) and tuple(value.shape) == ())


def _is_plain(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating))


def require_choice(owner: object, name: str, choices: Collection[str]) -> None:
    """Refuse a setting that is none of the choices."""
    if getattr(owner, name) not in choices:
        raise InputError(f"{type(owner).__name__}: {name} must be one of {', '.join(map(repr, choices))}, "
                         f"but is {getattr(owner, name)!r}")


def require_whole(owner: object, **least: int) -> None:
    """Refuse settings that are not whole numbers of at least so many; keep the others as Python's integers."""
    for name, low in least.items():
        value = getattr(owner, name)
        if not is_whole(value) or value < low:
            raise InputError(f"{type(owner).__name__}: {name} must be a whole number of at least {low}, "
                             f"but is {value!r}")
        object.__setattr__(owner, name, int(value))


def is_whole(value: object) -> TypeGuard[Array | float]:
    """Whether this is one whole number, of any type."""
    return is_known_scalar(value) and float(value).is_integer()
