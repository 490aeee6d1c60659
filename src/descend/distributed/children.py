"""The processes that one command is divided among: started, waited for, and ended, all of them together."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

from descend.distributed.member import HOST, VARIABLE, Started
from descend.engine.interruption import LOST

# Seconds between two looks, and those in which others end by what has ended one.
LOOK_SECONDS, GRACE_SECONDS = 0.05, 1.0
# The longest text that is told over the line.
MAX_TOLD = 2**16
RUN = "from descend.cli import main; main()"


@dataclass(frozen=True)
class Child:
    """A process that was started; `line`: over which it tells something, and sees that its starter is there; `errors`:
    what it complains of, which is not shown of others than the first."""

    index: int
    process: subprocess.Popen
    line: socket.socket
    errors: IO[bytes] | None

    @property
    def code(self) -> int | None:
        """How it has ended, if it has."""
        return self.process.poll()

    @property
    def has_died(self) -> bool:
        """Whether it ended by what may not be there the next time: a signal, or another's death."""
        code = self.code
        return code is not None and (code < 0 or code in (LOST, 128 + signal.SIGABRT, 128 + signal.SIGKILL))

    @property
    def end(self) -> str:
        """How it has ended, in words."""
        code = self.code
        if code is not None and code < 0:
            return f"process {self.index} was ended by {signal.Signals(-code).name}"
        return f"process {self.index} " + ("missed another" if code == LOST else f"ended with exit code {code}")

    def told(self) -> str:
        """What it told over the line."""
        self.line.setblocking(False)
        with contextlib.suppress(OSError):
            return self.line.recv(MAX_TOLD).decode()
        return ""

    def complaint(self) -> str:
        """The last line that it complained in."""
        if self.errors is None:
            return ""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").splitlines()
        return lines[-1] if lines else ""


@dataclass(frozen=True)
class Children:
    """All of them, the first one first; when the context ends, none is left."""

    each: list[Child] = field(default_factory=list)

    def start(self, arguments: Sequence[str], count: int) -> None:
        """Start so many, which are to run `descend` with these arguments."""
        port, shares = free_port(), shares_of_cores(count)
        for i in range(count):
            self.each.append(_started(arguments, Started(i, count, port), shares[i]))

    def pass_on(self, number: int) -> None:
        """Send a signal to all of them."""
        for child in self.each:
            child.process.send_signal(number)

    def wait(self, grace: Callable[[], float]) -> None:
        """Wait until the first has ended, or another has and not well; then for others, so many seconds more."""
        while self.each[0].code is None and not any(child.code for child in self.each):
            time.sleep(LOOK_SECONDS)
        begin = time.monotonic()
        while any(child.code is None for child in self.each) and time.monotonic() - begin < grace():
            time.sleep(LOOK_SECONDS)

    def at_fault(self) -> Child:
        """Which of those that did not end well did so by itself, as far as can be told: others abort, or end, when they
        miss one."""
        of_others = (LOST, -signal.SIGABRT)
        failed = [child for child in self.each if child.code]
        return min(failed, key=lambda child: of_others.index(child.code) + 1 if child.code in of_others else 0)

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.each:
            # What they saved is whole at any moment.
            child.process.kill()
            child.process.wait()
            child.line.close()
            if child.errors is not None:
                child.errors.close()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as opened:
        opened.bind((HOST, 0))
        return opened.getsockname()[1]


def cores() -> list[int]:
    """The cores that this process may use; none, where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def shares_of_cores(count: int) -> list[list[int]]:
    """As many cores for each of so many processes, as they wait for the slowest, and as more threads add up in another
    order; cores are shared where they are few.

    No process has one core alone: threads of XLA that look for work would keep it, for milliseconds, from the thread
    that hears the other processes.
    """
    known = cores()
    size = min(len(known), max(2, len(known) // count))
    first = [i * len(known) // count for i in range(count)]
    return [[known[(start + k) % len(known)] for k in range(size)] for start in first]


def _started(arguments: Sequence[str], member: Started, share: list[int]) -> Child:
    ours, theirs = socket.socketpair()
    errors = None if member.is_first else TemporaryFile()  # noqa: SIM115  # as long as the process
    # A GPU is not divided by starting several processes on it.
    environment = os.environ | {VARIABLE: str(member), "JAX_PLATFORMS": "cpu"}
    with theirs, _on_cores(share):
        process = subprocess.Popen(  # noqa: S603  # this very program
            [sys.executable, "-P", "-c", RUN, *arguments], env=environment, stdin=theirs.fileno(),
            stdout=None if member.is_first else subprocess.DEVNULL, stderr=errors,
            # So that Ctrl-C in a terminal comes to it once, over its starter.
            start_new_session=True,
        )
    return Child(member.index, process, ours, errors)


@contextlib.contextmanager
def _on_cores(share: list[int]) -> Iterator[None]:
    """Have what is started within run on these cores alone, from its first moment."""
    if not share:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, share)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
