"""Files that are whole or not there."""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from descend._locks import lock

# Seconds, after which a temporary file that nobody has locked is of a process that was killed.
ABANDONED = 60.0


def write_atomically(path: Path, content: bytes, older: Path | None = None) -> None:
    """Write a file as `writing_atomically` does, of which all is there already."""
    with writing_atomically(path, older) as file:
        file.write(content)


@contextlib.contextmanager
def writing_atomically(path: Path, older: Path | None = None) -> Iterator[BinaryIO]:
    """A file that is written under a temporary name, made sure to be on the disk, and then renamed into place.

    A reader finds the old file or the new one, never a part; if writing fails, the old one is untouched. Of several
    writers the last one's file stays. `older`: what to call the old one, where the file system allows a second name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            with contextlib.suppress(OSError):
                lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        if older is not None:
            _keep(path, older)
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # Of a full disk the system does not say which file it was.
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def try_room(path: Path, size: int) -> None:
    """Find out whether a file of so many bytes can be written there, as far as the system tells beforehand.

    **Raises** `OSError` if it cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, max(size, 1))
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            # Some file systems reserve nothing: then nobody knows beforehand.
            raise
    finally:
        temporary.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Whether that is no file of anybody's, but a part of one, or a lock."""
    return name.startswith(".") and name.endswith((".part", ".lock"))


def _keep(path: Path, older: Path) -> None:
    """A second name for the file that is there, so that it is there all the time."""
    # There may be none yet, or the file system knows one name for a file alone.
    with contextlib.suppress(OSError):
        older.unlink(missing_ok=True)
        os.link(path, older)


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed left of this file."""
    for entry in os.scandir(path.parent):
        if entry.name.startswith(f".{path.name}.") and entry.name.endswith(".part"):
            # It may be being written, or gone by now.
            with contextlib.suppress(OSError), Path(entry.path).open("rb") as file:
                lock(file.fileno())
                if time.time() - os.fstat(file.fileno()).st_mtime > ABANDONED:
                    Path(entry.path).unlink()
