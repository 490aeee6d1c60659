"""What compressed files unpack to, within bounds: a few bytes may stand for more than a memory holds."""

import gzip
import io
import zlib

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


def gunzipped(raw: bytes, where: str) -> bytes:
    """What gzip packed.

    **Raises** `InputError` if it is damaged, or more than a file of that size may unpack to.
    """
    # Its value is no copy of what was written.
    content = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            while piece := file.read(_PIECE):
                content.write(piece)
                refuse_larger(content.tell(), len(raw), where)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where} is a damaged gzip file ({error}): copy or download it again") from error
    return content.getvalue()
