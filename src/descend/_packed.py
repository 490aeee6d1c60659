"""What compressed files unpack to, within bounds: a few bytes may stand for more than a memory holds."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

import pyarrow

from descend.errors import InputError

# Bytes that any file may unpack to.
UNPACKED_ANYWAY = 1 << 28
# How many times its own size a larger one may. Numbers and words as people write them take a tenth of that.
MAX_RATIO = 100
_PIECE = 1 << 22


def most_of(packed: int) -> int:
    """How many bytes a file of `packed` bytes may unpack to."""
    return max(UNPACKED_ANYWAY, MAX_RATIO * packed)


def refuse_larger(unpacked: int, packed: int, where: str) -> None:
    """Raises `InputError` for a file that unpacks to more than it may; `where` names it."""
    if unpacked > most_of(packed):
        raise InputError(f"{where} has {packed:,} bytes that unpack to more than {most_of(packed):,}, as no "
                         "table and no picture do: if it is yours, unpack it first")


def _zstandard(file: Any) -> Any:
    return pyarrow.CompressedInputStream(file, "zstd")


# By what files begin with: the name of what packed them, and what unpacks them.
_OPENERS: dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstandard),
}
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError,
           RuntimeError, pyarrow.ArrowException)  # fmt: skip


def unpacked(raw: bytes, where: str) -> bytes:
    """What gzip, bzip2, xz or zstd packed; other bytes as they are.

    **Raises** `InputError` if it is damaged, or more than a file of that size may unpack to.
    """
    for magic, (name, opened) in _OPENERS.items():
        if raw.startswith(magic):
            return _read(partial(opened, io.BytesIO(raw)), name, len(raw), where)
    return raw


def gunzipped(raw: bytes, where: str) -> bytes:
    """What gzip packed.

    **Raises** `InputError` if it is damaged, or more than a file of that size may unpack to.
    """
    return _read(lambda: gzip.GzipFile(fileobj=io.BytesIO(raw)), "gzip", len(raw), where)


def members(raw: bytes, where: str) -> list[str]:
    """The names of the files in a zip archive, but for those that systems put into it.

    **Raises** `InputError` if it is damaged, or says that it unpacks to more than it may.
    """
    with _telling("zip", where), zipfile.ZipFile(io.BytesIO(raw)) as archive:
        refuse_larger(sum(info.file_size for info in archive.infolist()), len(raw), where)
        return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")
                and not name.rpartition("/")[2].startswith(".")]


def member(raw: bytes, name: str, where: str) -> bytes:
    """A file of a zip archive.

    **Raises** `InputError` if it is damaged, or unpacks to more than it may.
    """
    return _read(lambda: zipfile.ZipFile(io.BytesIO(raw)).open(name), "zip", len(raw), where)


@contextmanager
def _telling(name: str, where: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _BROKEN as error:
        told = " ".join(str(error).split())
        raise InputError(f"{where} is a damaged {name} file ({told}): copy or download it again") from error


def _read(opened: Callable[[], Any], name: str, packed: int, where: str) -> bytes:
    """All that a packed file has, piece by piece, as long as it is no more than it may be."""
    # Its value is no copy of what was written.
    content = io.BytesIO()
    with _telling(name, where), opened() as file:
        while piece := file.read(_PIECE):
            content.write(piece)
            refuse_larger(content.tell(), packed, where)
    return content.getvalue()
