"""What pages ask, checked before it is used, and the frames that they are answered with."""

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from descend.errors import InputError

MAX_BYTES = 2**16
# Beyond, a float32 of the frame could not tell neighbours apart, nor hold their squares.
MAX_COORDINATE = 1e6
MAX_ID = 2**53


@dataclass(frozen=True)
class Hello:
    """The first message: the token of the address, and the room that the page shows."""

    token: str
    room: str


@dataclass(frozen=True)
class Request:
    """What is asked, under a number that the frames of its answer have."""

    id: int


@runtime_checkable
class Room(Protocol):
    """The engine's side of one page that is open: what the page may ask, and how it is answered.

    `lanes`: the kinds of messages, in the order in which they are answered, by the thread that answers them. Lanes do
    not wait for each other. "engine" is a thread that all pages share.
    """

    lanes: ClassVar[Mapping[str, tuple[str, ...]]]

    def welcome(self) -> dict[str, Any]:
        """What the page is told first."""
        ...

    def request(self, kind: str, fields: "Fields", id: int) -> Request:
        """What a message of one of the kinds asks. **Raises** `InputError` for what cannot be answered."""
        ...

    def frames(self, request: Request, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        """The answer, of which the last frame has `"last": true`; `is_newer`: whether the page has asked anew."""
        ...

    def close(self) -> None:
        """The page is gone. The thread of a lane may still be at work."""
        ...


class MessageError(InputError):
    """A message that cannot be answered; `id` is the number that it came with, if it has one."""

    def __init__(self, says: str, id: int | None = None) -> None:
        super().__init__(says)
        self.id = id


def hello_of(text: str) -> Hello:
    """The token and the room of a first message. **Raises** `MessageError` where it is none."""
    fields, _ = _read(text)
    try:
        if fields.text("kind") != "hello":
            raise InputError("say hello first, with the token")
        return Hello(fields.text("token"), fields.text("room"))
    except InputError as error:
        raise MessageError(str(error)) from error


def request_of(text: str, room: Room) -> tuple[str, Request]:
    """Of which kind a message is, and what it asks of a room.

    **Raises** `MessageError` for what is no message of the page's, or asks for what there is not.
    """
    fields, id = _read(text)
    kinds = [kind for lane in room.lanes.values() for kind in lane]
    try:
        kind = fields.text("kind")
        if kind not in kinds:
            raise InputError(f"kind must be {', '.join(kinds)}, but is {told_briefly(kind)}")
        if id is None:
            raise InputError(f"id must be a whole number from 0 to 2^53, but is {told_briefly(fields.found.get('id'))}")
        return kind, room.request(kind, fields, id)
    except InputError as error:
        raise MessageError(str(error), id) from error


def frame(header: Mapping[str, Any], body: np.ndarray | None = None) -> bytes:
    """A frame: the length of the header, the header as JSON, and the numbers as float32, all little-endian. The header
    is padded with spaces, so that the numbers begin at a multiple of four."""
    encoded = json.dumps(header, allow_nan=False).encode()
    encoded += b" " * (-len(encoded) % 4)
    numbers = b"" if body is None else np.ascontiguousarray(body, "<f4").tobytes()
    return struct.pack("<I", len(encoded)) + encoded + numbers


def refusal(says: str, id: int | None = None) -> bytes:
    """The frame that says what is wrong, on one line."""
    return frame({"kind": "error", "id": id, "says": " ".join(says.split()), "last": True})


def given_up(id: int, seconds: float = 0.0) -> bytes:
    """The frame that ends the answer to a request because there is a newer one, after so many seconds."""
    return frame({"kind": "done", "id": id, "seconds": seconds, "given_up": True, "last": True})


def told_briefly(value: Any) -> str:
    """A value of anybody's, shortened, on one line."""
    return " ".join(brief(value).split())


class Fields:
    """The fields of a message, or of a part of it, each asked for by its type and range."""

    def __init__(self, found: Any, where: str = "") -> None:
        self.where = where
        if not isinstance(found, dict):
            raise InputError(f"{where or 'the message'} must be an object, but is {told_briefly(found)}")
        self.found = found

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        return self._right(name, f"a whole number from {low} to {high}", default,
                           lambda value: type(value) is int and low <= value <= high)

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        return float(self._right(name, f"a number from {low:g} to {high:g}", default,
                                 lambda value: _is_number(value) and low <= value <= high))

    def text(self, name: str) -> str:
        return self._right(name, "a text", None, lambda value: isinstance(value, str))

    def flag(self, name: str) -> bool:
        return self._right(name, "true or false", False, lambda value: type(value) is bool)

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        wanted = f"{count} numbers from {-MAX_COORDINATE:g} to {MAX_COORDINATE:g}"
        is_right = lambda value: isinstance(value, list) and len(value) == count and all(
            _is_number(one) and abs(one) <= MAX_COORDINATE for one in value)
        return tuple(map(float, self._right(name, wanted, None, is_right)))

    def items(self, name: str, low: int, high: int) -> list[Any]:
        return self._right(name, f"a list of {low} to {high}", None,
                           lambda value: isinstance(value, list) and low <= len(value) <= high)

    def inner(self, name: str) -> "Fields":
        return Fields(self.found.get(name), self.named(name))

    def settings(self) -> dict[str, float]:
        found = self.inner("settings").found if "settings" in self.found else {}
        for name, value in found.items():
            if not _is_number(value):
                where = f"{self.named('settings')}.{told_briefly(name)}"
                raise InputError(f"{where} must be a number, but is {told_briefly(value)}")
        return {name: float(value) for name, value in found.items()}

    def _right(self, name: str, wanted: str, default: Any, is_right: Callable[[Any], bool]) -> Any:
        value = self.found.get(name, default)
        if not is_right(value):
            raise InputError(f"{self.named(name)} must be {wanted}, but is {told_briefly(value)}")
        return value

    def named(self, name: str) -> str:
        """What a field is called in an error."""
        return f"{self.where}.{name}" if self.where else name


def _read(text: str) -> tuple[Fields, int | None]:
    """The fields of a message, and its number if it has one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageError("the message is no JSON: send what the page sends") from None
    if not isinstance(found, dict):
        raise MessageError(f"the message must be an object, but is {told_briefly(found)}")
    number = found.get("id")
    return Fields(found), number if type(number) is int and 0 <= number < MAX_ID else None


def _is_number(value: Any) -> bool:
    """Whether this is a finite number that a float can hold, and no truth."""
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < MAX_ID)
