"""What the page asks, checked before it is used, and the frames that it is answered with."""

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.studio import gallery, rules
from descend.studio.formula import Formula, read
from descend.studio.gallery import Window
from descend.studio.race import Ball, Race

MAX_BYTES = 2**16
MAX_BALLS, MAX_STEPS = 12, 2000
# Of a grid, in each direction.
MAX_CELLS = 512
# Beyond, a float32 of the frame could not tell neighbours apart, nor hold their squares.
MAX_COORDINATE, MAX_NOISE = 1e6, 1e3
MAX_ID = 2**53


@dataclass(frozen=True)
class Hello:
    """The first message: the token of the address."""

    token: str


@dataclass(frozen=True)
class RaceRequest:
    """A race that is asked for, under a number that its frames have."""

    id: int
    race: Race


@dataclass(frozen=True)
class SurfaceRequest:
    """A surface that is asked for: a function over a window, in so many columns and rows."""

    id: int
    formula: Formula
    window: Window
    size: tuple[int, int]


Request = RaceRequest | SurfaceRequest


class MessageError(InputError):
    """A message that cannot be answered; `id` is the number that it came with, if it has one."""

    def __init__(self, says: str, id: int | None = None) -> None:
        super().__init__(says)
        self.id = id


def request_of(text: str) -> Hello | Request:
    """What a message asks for.

    **Raises** `MessageError` for what is no message of the page's, or asks for what there is not.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageError("the message is no JSON: send what the page sends") from None
    if not isinstance(found, dict):
        raise MessageError(f"the message must be an object, but is {_shown(found)}")
    number = found.get("id")
    id = number if type(number) is int and 0 <= number < MAX_ID else None
    try:
        return _request(_Fields(found), id)
    except InputError as error:
        raise MessageError(str(error), id) from error


def frame(header: Mapping[str, Any], body: np.ndarray | None = None) -> bytes:
    """A frame: the length of the header, the header as JSON, and the numbers as float32, all little-endian. The header
    is padded with spaces, so that the numbers begin at a multiple of four."""
    encoded = json.dumps(header, allow_nan=False).encode()
    encoded += b" " * (-len(encoded) % 4)
    numbers = b"" if body is None else np.ascontiguousarray(body, "<f4").tobytes()
    return struct.pack("<I", len(encoded)) + encoded + numbers


class _Fields:
    """The fields of a message, or of a part of it, each asked for by its type and range."""

    def __init__(self, found: Any, where: str = "") -> None:
        self.where = where
        if not isinstance(found, dict):
            raise InputError(f"{where or 'the message'} must be an object, but is {_shown(found)}")
        self.found = found

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        return self._right(name, f"a whole number from {low} to {high}", default,
                           lambda value: type(value) is int and low <= value <= high)

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        return float(self._right(name, f"a number from {low:g} to {high:g}", default,
                                 lambda value: _is_number(value) and low <= value <= high))

    def text(self, name: str) -> str:
        return self._right(name, "a text", None, lambda value: isinstance(value, str))

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        wanted = f"{count} numbers from {-MAX_COORDINATE:g} to {MAX_COORDINATE:g}"
        is_right = lambda value: isinstance(value, list) and len(value) == count and all(
            _is_number(one) and abs(one) <= MAX_COORDINATE for one in value)
        return tuple(map(float, self._right(name, wanted, None, is_right)))

    def items(self, name: str, low: int, high: int) -> list[Any]:
        return self._right(name, f"a list of {low} to {high}", None,
                           lambda value: isinstance(value, list) and low <= len(value) <= high)

    def inner(self, name: str) -> "_Fields":
        return _Fields(self.found.get(name), self._named(name))

    def settings(self) -> dict[str, float]:
        found = self.inner("settings").found if "settings" in self.found else {}
        for name, value in found.items():
            if not _is_number(value):
                raise InputError(f"{self._named('settings')}.{_shown(name)} must be a number, but is {_shown(value)}")
        return {name: float(value) for name, value in found.items()}

    def _right(self, name: str, wanted: str, default: Any, is_right: Callable[[Any], bool]) -> Any:
        value = self.found.get(name, default)
        if not is_right(value):
            raise InputError(f"{self._named(name)} must be {wanted}, but is {_shown(value)}")
        return value

    def _named(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def _request(fields: _Fields, id: int | None) -> Hello | Request:
    kind = fields.text("kind")
    if kind == "hello":
        return Hello(fields.text("token"))
    if kind not in ("race", "surface"):
        raise InputError(f"kind must be hello, race or surface, but is {_shown(kind)}")
    if id is None:
        raise InputError(f"id must be a whole number from 0 to 2^53, but is {_shown(fields.found.get('id'))}")
    return RaceRequest(id, _race(fields)) if kind == "race" else _surface(fields, id)


def _race(fields: _Fields) -> Race:
    balls = fields.items("balls", 1, MAX_BALLS)
    start = fields.numbers("start", 2)
    return Race(
        formula=_formula(fields.inner("function")),
        balls=tuple(_ball(_Fields(ball, f"balls[{i}]")) for i, ball in enumerate(balls)),
        start=(start[0], start[1]),
        steps=fields.whole("steps", 1, MAX_STEPS),
        noise=fields.number("noise", 0.0, MAX_NOISE, 0.0),
        seed=fields.whole("seed", 0, 2**31 - 1, 0),
    )


def _ball(fields: _Fields) -> Ball:
    name = fields.text("rule")
    if name not in rules.BY_NAME:
        raise InputError(f"{fields.where}.rule must be one of {', '.join(rules.BY_NAME)}, but is {_shown(name)}")
    ball = Ball(rules.BY_NAME[name], fields.settings())
    # What the rule refuses is refused before anything is run.
    ball.rule.made(ball.settings)
    return ball


def _surface(fields: _Fields, id: int) -> SurfaceRequest:
    x0, x1, y0, y1 = fields.numbers("window", 4)
    if not (x0 < x1 and y0 < y1):
        raise InputError(f"window must be x0 < x1 and y0 < y1, but is {[x0, x1, y0, y1]}")
    size = fields.items("size", 2, 2)
    if not all(type(cells) is int and 2 <= cells <= MAX_CELLS for cells in size):
        raise InputError(f"size must be two whole numbers from 2 to {MAX_CELLS}, but is {_shown(size)}")
    return SurfaceRequest(id, _formula(fields.inner("function")), (x0, x1, y0, y1), (size[0], size[1]))


def _formula(fields: _Fields) -> Formula:
    if "formula" in fields.found:
        return read(fields.text("formula"))
    name = fields.text("name")
    if name not in gallery.BY_NAME:
        raise InputError(f"function.name must be one of {', '.join(gallery.BY_NAME)}, but is {_shown(name)}")
    return read(gallery.BY_NAME[name].formula)


def _is_number(value: Any) -> bool:
    """Whether this is a finite number that a float can hold, and no truth."""
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < MAX_ID)


def _shown(value: Any) -> str:
    """A value of anybody's, shortened, on one line."""
    return " ".join(brief(value).split())
