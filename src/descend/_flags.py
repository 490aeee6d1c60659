"""Settings that are True or False: whatever else is given for one is refused, as `"no"` and 0.5 would count as true."""

import dataclasses
from typing import Any

import numpy as np

from descend.errors import InputError


def as_flag(name: str, value: object) -> bool:
    """A setting that is True or False, in Python or in NumPy.

    **Raises** `InputError` for all else.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InputError(f"{name} must be True or False, but is {value!r}")


def settle_flags(owner: Any) -> None:
    """Refuse a dataclass whose fields of type `bool` are not True or False; the others are kept as Python's."""
    for field in dataclasses.fields(owner):
        if field.type in (bool, "bool") and field.init:
            value = as_flag(f"{type(owner).__name__}: {field.name}", getattr(owner, field.name))
            object.__setattr__(owner, field.name, value)
