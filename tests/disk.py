"""A disk beneath a folder whose operations are counted, of which any can fail, or be the last before a process dies.

In the spirit of SQLite's tests of I/O errors. What a killed process leaves is what was there before its next operation:
so a folder as it was before each of them stands for a kill at each. A write is two operations, as a file may be torn.
"""

import builtins
import errno
import io
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CALLS = (
    "mkdir",
    "open",
    "write",
    "ftruncate",
    "posix_fallocate",
    "fsync",
    "link",
    "rename",
    "replace",
    "unlink",
    "rmdir",
)
MOVING = ("link", "rename", "replace")
FREEING = ("unlink", "rmdir", "ftruncate")  # succeed on a disk that is full
Act = Callable[[int, str], None]  # before an operation of this number and name


@contextmanager
def watched(folder: Path, act: Act) -> Iterator[None]:
    """`act` is called before each operation that changes something beneath the folder; one thread at a time."""
    count, alone = iter(range(10**9)), threading.RLock()

    def before(name: str, *places: Any) -> None:
        if any(_is_beneath(place, folder) for place in places):
            act(next(count), name)

    class Raw(io.FileIO):
        """A file whose first write takes half of what it is given, so that another one follows."""

        is_torn = False

        def write(self, data: Any, /) -> int:
            with alone:
                before("write", self.fileno())
                half = len(data) if self.is_torn else max(1, len(data) // 2)
                self.is_torn = True
                return super().write(memoryview(data)[:half])

    def opened(file: Any, mode: str = "r", *args: Any, **named: Any) -> Any:
        if not set(mode) & set("wxa+") or not _is_beneath(file, folder):
            return builtins_open(file, mode, *args, **named)
        assert "b" in mode, "only whole bytes are written"
        with alone:
            before("open", file)
            return io.BufferedWriter(Raw(file, mode))

    def patched(name: str) -> Any:
        real = getattr(os, name)

        def call(*args: Any, **named: Any) -> Any:
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR):
                return real(*args, **named)
            with alone:
                before(name, *args[: 2 if name in MOVING else 1])
                return real(*args, **named)

        return call

    builtins_open = builtins.open
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, patched(name))
        patch.setattr(io, "open", opened)
        patch.setattr(builtins, "open", opened)
        yield


def each_of(*acts: Act) -> Act:
    """All of them, one after the other."""

    def act(number: int, name: str) -> None:
        for one in acts:
            one(number, name)

    return act


def counting(names: list[str]) -> Act:
    """Notes the operations."""
    return lambda _, name: names.append(name)


def full_from(first: int) -> Act:
    """Nothing more can be written from this operation on."""

    def act(number: int, name: str) -> None:
        if number >= first and name not in FREEING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return act


def broken_at(only: int) -> Act:
    """One operation fails."""

    def act(number: int, name: str) -> None:
        if number == only:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    return act


def kept(folder: Path, copies: Path) -> Act:
    """Copies the folder as it is before each operation, where it is another one than before the last."""
    last: list[dict[str, bytes | None]] = []

    def act(number: int, name: str) -> None:
        now = {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }
        if folder.exists() and last[-1:] != [now]:
            last[:] = [now]
            shutil.copytree(folder, copies / f"{number}-{name}")

    return act


def _is_beneath(place: Any, folder: Path) -> bool:
    if isinstance(place, int):
        try:
            place = Path(f"/proc/self/fd/{place}").readlink()
        except OSError:
            return False
    return isinstance(place, str | os.PathLike) and Path(place).absolute().is_relative_to(folder)
