"""Facts from a file that anybody may have written: each is asked for by its type and range, before it is used."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from reprlib import repr as brief
from typing import Any, NoReturn

import numpy as np

from descend.errors import CheckpointError

# More choices than these are counted in a message, not named.
MAX_CHOICES_NAMED = 8
# Of what is counted, where nothing narrower is known.
MAX_COUNT = 2**31 - 1


class Facts:
    """A dict as JSON has it; `where` says whose it is, and begins each refusal.

    >>> Facts({"layers": 2}, "model").whole("layers", 1, 10)
    2
    >>> Facts({"layers": "2"}, "model").whole("layers", 1, 10)
    Traceback (most recent call last):
    descend.errors.CheckpointError: model: layers must be a whole number from 1 to 10, but is '2': the file is damaged,
    or is no model of descend's; train again
    """

    def __init__(self, found: object, where: str):
        self.where = where
        if not isinstance(found, dict):
            self.refuse("it", "named facts", found)
        self._found = found

    def refuse(self, name: str, wanted: str, found: object) -> NoReturn:
        """Refuse a fact.

        **Raises** `CheckpointError`.
        """
        refuse(self.where, name, wanted, found)

    def any(self, name: str) -> Any:
        """A fact of any type, which its user must check."""
        if name not in self._found:
            self.refuse(name, "there", None)
        return self._found[name]

    def has(self, name: str) -> bool:
        """Whether there is such a fact."""
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(map(str, self._found))

    def inner(self, name: str) -> "Facts":
        """A dict of facts."""
        found = self._right(name, "named facts", lambda value: isinstance(value, dict))
        return Facts(found, f"{self.where}: {name}")

    def whole(self, name: str, least: int = 0, most: int = MAX_COUNT) -> int:
        """A whole number within bounds."""
        wanted = f"a whole number from {least:,} to {most:,}"
        return self._right(name, wanted, lambda value: type(value) is int and least <= value <= most)

    def number(self, name: str, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number within bounds."""
        between = "" if math.isinf(least) and math.isinf(most) else f" from {least:g} to {most:g}"
        is_within = lambda value: is_finite_number(value) and math.isfinite(value) and least <= value <= most
        return float(self._right(name, f"a finite number{between}", is_within))

    def truth(self, name: str) -> bool:
        """True or false."""
        return self._right(name, "true or false", lambda value: isinstance(value, bool))

    def text(self, name: str) -> str:
        """A text."""
        return self._right(name, "a text", lambda value: isinstance(value, str))

    def choice(self, name: str, among: Iterable[str]) -> Any:
        """One of some texts."""
        known = tuple(map(str, among))
        every = f"one of the {len(known)} that there are"
        wanted = " or ".join(map(repr, known)) if len(known) <= MAX_CHOICES_NAMED else every
        return self._right(name, wanted, lambda value: isinstance(value, str) and value in known)

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts of which no two are the same."""
        return tuple(self._right(name, "different texts", lambda value: (
            _all(value, lambda item: isinstance(item, str)) and len(set(value)) == len(value))))

    def numbers(self, name: str) -> tuple[float, ...]:
        """Numbers, which may be infinite."""
        return tuple(self._right(name, "numbers", lambda value: (
            _all(value, lambda item: is_finite_number(item) and not math.isnan(item)))))

    def wholes(self, name: str) -> tuple[int, ...]:
        """Whole numbers from 1 on."""
        return tuple(self._right(name, "whole numbers from 1 on", lambda value: (
            _all(value, lambda item: type(item) is int and 1 <= item <= MAX_COUNT))))

    def _right(self, name: str, wanted: str, is_right: Callable[[Any], bool]) -> Any:
        value = self.any(name)
        return value if is_right(value) else self.refuse(name, wanted, value)


def refuse(where: str, name: str, wanted: str, found: object) -> NoReturn:
    """Refuse what a file holds.

    **Raises** `CheckpointError`.
    """
    raise CheckpointError(f"{where}: {name} must be {wanted}, but is {shown(found)}: the file is damaged, or "
                          "is no model of descend's; train again")


def shown(value: object) -> str:
    """A value, shortened, on one line."""
    return " ".join(brief(value).split())


def is_finite_number(value: object) -> bool:
    """Whether this is a number that a float can hold, and no truth."""
    return type(value) is float or (type(value) is int and abs(value) < 2**1000)


def refuse_nonfinite(arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Refuse weights that are not finite.

    **Raises** `CheckpointError`.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            refuse(where, name, "finite", "partly infinite or no number")


def checked_array(arrays: Mapping[str, np.ndarray], name: str, where: str, shape: tuple[int, ...], kind: str
                  ) -> np.ndarray:  # fmt: skip
    """An array that is there, of this shape and of a kind of numbers, "f" or "i".

    **Raises** `CheckpointError`.
    """
    array = arrays.get(name)
    wanted = f"an array of {'fractions' if kind == 'f' else 'whole numbers'} of shape {shape}"
    if array is None or array.dtype.kind != kind or array.shape != shape:
        refuse(where, name, wanted, None if array is None else (array.dtype.name, array.shape))
    return array


def refuse_other_size(arrays: Mapping[str, np.ndarray], prefix: str, size: int, where: str) -> None:
    """Refuse weights that are not as many as a network of that shape has, before one is made.

    **Raises** `CheckpointError`.
    """
    found = sum(array.size for name, array in arrays.items() if name.startswith(f"{prefix}/"))
    if found != size:
        refuse(where, "weights", f"{size:,}, by the shape that it tells of", found)


def _all(value: object, is_right: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(is_right, value))
