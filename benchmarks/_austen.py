"""The six novels of Jane Austen: four million characters."""

import os
import zlib
from pathlib import Path
from typing import Any

PACKAGE = "/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"  # where r-cran-janeaustenr has them


def austen() -> str:
    """The novels, one after the other: from `austen.txt` in the folder `DESCEND_DATA`, else from the Debian package
    r-cran-janeaustenr, whose files may lie in that folder too."""
    folder = Path(os.environ.get("DESCEND_DATA", "data"))
    if (folder / "austen.txt").exists():
        return (folder / "austen.txt").read_text()
    base = next((path for path in (folder / "Rdata.rdb", Path(PACKAGE)) if path.exists()), None)
    if base is None:
        raise SystemExit(f"{folder / 'austen.txt'} is not there: install the Debian package r-cran-janeaustenr and the "
                         "Python package rdata, or name the text's folder in DESCEND_DATA")
    return "\n".join("\n".join(lines) for lines in _vectors(base.read_bytes()) if len(lines) > 1000)


def _vectors(base: bytes) -> list[list[str]]:
    """The vectors of words in R's database: each begins with its length in four bytes, and is compressed by zlib."""
    import rdata  # only who has no text needs it

    vectors: list[list[str]] = []
    place = 0
    while place < len(base):
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base[place + 4 :])
        place = len(base) - len(unpacker.unused_data)
        value: Any = rdata.conversion.convert(rdata.parser.parse_data(content))
        if not isinstance(value, (str, dict)) and hasattr(value, "__len__"):
            vectors.append([str(line) for line in value])
    return vectors
