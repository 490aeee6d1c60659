"""Tokens of a text that is larger than memory: they lie in a file, and windows of them are read."""

import os
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from descend.errors import InputError
from descend.neural._tokens import Bytes, Tokenizer, smallest_type
from descend.neural.text_files import FiledText, blocks_of

# For what is large and lasts: a folder for what is small may lie in memory.
LARGE_TEMPORARY = "/var/tmp"  # noqa: S108  # a file there has no name


@dataclass(frozen=True)
class FiledTokens:
    """Tokens of one type of numbers, whose bytes are these."""

    raw: FiledText
    dtype: Any

    def __len__(self) -> int:
        return len(self.raw) // self._size

    def __getitem__(self, place: slice) -> "FiledTokens":
        start, stop, _ = place.indices(len(self))
        return FiledTokens(self.raw[start * self._size : stop * self._size], self.dtype)

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Those of so many tokens that begin at these places, which must be there, as rows."""
        each = (self.raw.read(int(start) * self._size, length * self._size) for start in starts)
        return np.frombuffer(b"".join(each), self.dtype).reshape(len(starts), length)

    @property
    def _size(self) -> int:
        return np.dtype(self.dtype).itemsize


Tokens = np.ndarray | FiledTokens


def cut(tokens: Tokens, starts: np.ndarray, length: int) -> np.ndarray:
    """Windows of tokens, wherever these lie.

    >>> cut(np.arange(9), np.array([0, 4]), 3).tolist()
    [[0, 1, 2], [4, 5, 6]]
    """
    if isinstance(tokens, FiledTokens):
        return tokens.windows(starts, length)
    return tokens[starts[:, None] + np.arange(length)]


def encoded(tokenizer: Tokenizer, text: bytes | FiledText) -> Tokens:
    """The tokens of a text: in memory where that is, and else in a file, which has no name and goes with them. Where
    bytes are tokens, the text is that file.

    **Raises** `InputError` for a text that the tokenizer cannot read, and where there is no room for the file.
    """
    if not isinstance(text, FiledText):
        return tokenizer.encode(text)
    if tokenizer.name == Bytes.name:
        return FiledTokens(text, np.uint8)
    kind = smallest_type(tokenizer.size)
    place = _place()
    try:
        file = tempfile.TemporaryFile(dir=place)  # noqa: SIM115  # it closes with the tokens
        for block in blocks_of(text):
            file.write(tokenizer.encode(block).astype(kind).tobytes())
        file.flush()
    except OSError as error:
        raise InputError(f"the tokens of {len(text):,} bytes of text have no room in {place} ({error.strerror}): make "
                         "room, or name another folder in the variable TMPDIR") from None
    return FiledTokens(FiledText([_Spool(file)]), kind)


class _Spool:
    """The bytes of an open file, which is closed with it."""

    def __init__(self, file: IO[bytes]):
        self._file, self._size = file, file.tell()
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)


def _place() -> str:
    """The folder for large files that do not stay."""
    large = "TMPDIR" not in os.environ and Path(LARGE_TEMPORARY).is_dir()
    return LARGE_TEMPORARY if large else tempfile.gettempdir()
