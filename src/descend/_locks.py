"""What one process at a time writes to: locks that the system opens when their owner ends, however it ends."""

import atexit
import contextlib
import os
import threading
import time
from pathlib import Path

from descend.errors import InputError

try:
    import fcntl
except ImportError:
    # Nothing is locked on Windows.
    fcntl = None  # type: ignore[assignment]

# For which somebody may only look whether a lock is held.
LOOK_SECONDS = 0.005


class BusyError(InputError):
    """Another process writes there."""


_changing = threading.Lock()
# By the lock's file: its descriptor, and how many hold it.
_held: dict[Path, list[int]] = {}


def lock(descriptor: int) -> None:
    """Lock an open file, for as long as it is open.

    **Raises** `BlockingIOError` where another has locked it, and another `OSError` where files cannot be locked.
    """
    if fcntl is None:
        raise OSError("files cannot be locked here")
    with contextlib.suppress(BlockingIOError):
        return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # It may be somebody who only looks whether it is held, for some microseconds.
    time.sleep(LOOK_SECONDS)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def hold(file: Path, what: Path) -> None:
    """Keep other processes from `what`, by a lock on `file`, until it is released as often, or this process ends.

    Where no file can be locked, or none be written, nobody is kept from anything.

    **Raises** `BusyError` if another process holds it.
    """
    file = file.absolute()
    with _changing:
        if file in _held:
            _held[file][1] += 1
        elif (descriptor := _locked(file, what)) is not None:
            _held[file] = [descriptor, 1]


def release(file: Path) -> None:
    """Let others in, if nobody in this process holds it any more."""
    file = file.absolute()
    with _changing:
        if file in _held:
            _held[file][1] -= 1
            if _held[file][1] == 0:
                descriptor, _ = _held.pop(file)
                # The folder may be gone, or closed to us since.
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)
                os.close(descriptor)


def is_held(file: Path) -> bool:
    """Whether a process holds this lock, which may be this one."""
    if fcntl is None:
        return False
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except (OSError, ValueError):
        return False
    try:
        # Shared, so that those who look do not see each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


@atexit.register
def release_all() -> None:
    """Let others in everywhere."""
    for file, (_, times) in list(_held.items()):
        for _ in range(times):
            release(file)


def _locked(file: Path, what: Path) -> int | None:
    """A descriptor of the file, which names this process, locked; None where that cannot be."""
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None
        try:
            lock(descriptor)
            if _is(descriptor, file):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise BusyError(f"another process, {owner}, writes to {what}: wait for its end, or name another place"
                            ) from None
        except OSError:
            os.close(descriptor)
            return None
        # Its owner removed the file after it was opened here, so that this lock would keep nobody out: try again.
        os.close(descriptor)


def _is(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
