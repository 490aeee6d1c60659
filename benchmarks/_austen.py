"""The six novels of Jane Austen: four million characters."""

import warnings
import zlib
from pathlib import Path
from typing import Any

from benchmarks._linear_data import find

NOVEL = 1000  # lines: what has fewer is no novel


def austen() -> str:
    """The novels, one after the other."""
    return find("austen.txt").read_text()


def text_of(database: Path) -> str:
    """The novels in R's database of the Debian package r-cran-janeaustenr."""
    return "\n".join("\n".join(lines) for lines in _vectors(database.read_bytes()) if len(lines) > NOVEL)


def _vectors(base: bytes) -> list[list[str]]:
    """The vectors of words in R's database: each begins with its length in four bytes, and is compressed by zlib."""
    import rdata  # only who makes the text needs it

    vectors: list[list[str]] = []
    place = 0
    while place < len(base):
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base[place + 4 :])
        place = len(base) - len(unpacker.unused_data)
        with warnings.catch_warnings(action="ignore"):  # each is a part of a file, and says so
            value: Any = rdata.conversion.convert(rdata.parser.parse_data(content))
        if not isinstance(value, (str, dict)) and hasattr(value, "__len__"):
            vectors.append([str(line) for line in value])
    return vectors
