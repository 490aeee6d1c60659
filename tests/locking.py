"""Another process that holds a lock, as the system sees one: a lock is of an open file, and not of a process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked_by(owner: int, file: Path) -> Iterator[None]:
    """A lock on a file, which says who has it; what it leaves behind is what a process does that is killed."""
    with file.open("w") as opened:
        opened.write(str(owner))
        opened.flush()
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
