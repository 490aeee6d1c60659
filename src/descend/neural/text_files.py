"""One text of files that are larger than memory, read where it is asked for."""

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol, overload, runtime_checkable

from descend.errors import InputError

# What is gone through as a whole is read so many bytes at a time.
BLOCK_BYTES = 2**24
# How far back from the end of a block a line is looked for that the next one may begin with.
LINE_BYTES = 2**16
_LINE_START = re.compile(rb"\n(?=\S)")
# Bytes of a letter in UTF-8, but for its first one.
MAX_BYTES_AFTER_FIRST = 3


@runtime_checkable
class Part(Protocol):
    """Bytes that lie somewhere."""

    def __len__(self) -> int: ...
    def read(self, start: int, count: int) -> bytes:
        """So many of them, from there on."""


@dataclass(frozen=True)
class Held:
    """Bytes in memory."""

    text: bytes

    def __len__(self) -> int:
        return len(self.text)

    def read(self, start: int, count: int) -> bytes:
        return self.text[start : start + count]


@dataclass(frozen=True)
class TextFile:
    """The bytes of a file, which is opened for each look, as there may be more files than may be open at a time.

    `changed`: when it was, in ns.
    """

    path: Path
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "TextFile":
        """A file as it is now.

        **Raises** `OSError` if there is none.
        """
        found = path.stat()
        return cls(path, found.st_size, found.st_mtime_ns)

    def __len__(self) -> int:
        return self.size

    def read(self, start: int, count: int) -> bytes:
        """Some of its bytes.

        **Raises** `InputError` if it is another file than it was, or cannot be read any more.
        """
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if (found.st_size, found.st_mtime_ns) != (self.size, self.changed):
                    raise InputError(f"'{self.path}' was changed while it was read: begin anew, on a copy that stays")
                file.seek(start)
                return file.read(count)
        except OSError as error:
            raise InputError(f"'{self.path}' cannot be read any more: {error.strerror or error}") from None


class FiledText:
    """The bytes of several parts, one after the other, of which none is in memory until it is read.

    It has a length and is sliced as `bytes` are; a slice is such a text again.

    >>> text = FiledText([Held(b"one "), Held(b"two")])
    >>> len(text), text.read(2, 4), text[4:].read(0, 9), chr(text[4])
    (7, b'e tw', b'two', 't')
    """

    def __init__(self, parts: Sequence[Part], start: int = 0, stop: int | None = None):
        self._parts = tuple(parts)
        self._starts = [0, *accumulate(map(len, self._parts))]
        self._start, self._stop = start, self._starts[-1] if stop is None else stop

    def __len__(self) -> int:
        return self._stop - self._start

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> "FiledText": ...
    def __getitem__(self, place: int | slice) -> "int | FiledText":
        if isinstance(place, slice):
            start, stop, _ = place.indices(len(self))
            return FiledText(self._parts, self._start + start, self._start + max(start, stop))
        return self.read(place, 1)[0]

    def read(self, start: int, count: int) -> bytes:
        """So many bytes from there on, or as many as there are."""
        place, end = self._start + start, min(self._start + start + count, self._stop)
        found = list[bytes]()
        while place < end:
            number = bisect_right(self._starts, place) - 1
            begin = self._starts[number]
            found.append(self._parts[number].read(place - begin, min(end, self._starts[number + 1]) - place))
            place += len(found[-1])
        return b"".join(found)

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """All of it from there on, in blocks that begin with a line, or at least with a letter."""
        while start < len(self):
            block = self.read(start, BLOCK_BYTES)
            if start + len(block) < len(self):
                block = block[: _border(block)]
            yield block
            start += len(block)


def blocks_of(text: bytes | FiledText) -> Iterator[bytes]:
    """A text in blocks: one, if it is in memory."""
    if isinstance(text, FiledText):
        yield from text.blocks()
    else:
        yield text


def spread_blocks(text: bytes | FiledText, most: int) -> Iterator[bytes]:
    """Blocks of at most so many, which lie at even distances: all of them, where there are no more."""
    if not isinstance(text, FiledText) or len(text) <= most * BLOCK_BYTES:
        yield from blocks_of(text)
        return
    for number in range(most):
        block = next(text.blocks(number * (len(text) - BLOCK_BYTES) // most))
        begin = _LINE_START.search(block)
        yield block[begin.end() if begin else _letter(block, range(MAX_BYTES_AFTER_FIRST + 1)) :]


def _border(block: bytes) -> int:
    """Where the next block may begin, near the end of this one."""
    near = max(1, len(block) - LINE_BYTES)
    lines = [line.end() for line in _LINE_START.finditer(block, near)]
    return lines[-1] if lines else _letter(block, range(len(block) - 1, len(block) - 2 - MAX_BYTES_AFTER_FIRST, -1))


def _letter(block: bytes, places: range) -> int:
    """The first of these places at which a letter begins in UTF-8; else the first of all."""
    inside = (place for place in places if block[place] & 0b1100_0000 != 0b1000_0000)
    return next(inside, places[0])
