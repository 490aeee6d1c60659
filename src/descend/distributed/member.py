"""One of several processes that run the same command: which one it is, and how it joins the others."""

import os
import re
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any

import jax

from descend._division import Division, processes_among
from descend.errors import DescendError, InputError, LostError

# By it, a process is told which one it is.
VARIABLE = "DESCEND_PROCESS"
FORM = re.compile("([0-9]{1,4})/([0-9]{1,4})@([0-9]{1,5})")
HOST, MAX_PORT = "127.0.0.1", 2**16
# Seconds to wait for each other: at first, and for a sign of life later.
JOIN_SECONDS, HEARTBEAT_SECONDS = 60, 20
# The line to whoever started this process: its standard input, which is of no other use.
LINE = 0


@dataclass(frozen=True)
class Member:
    """The process number `index` of `count`."""

    index: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether it is the one that shows progress, and writes."""
        return self.index == 0

    def tell(self, text: str) -> None:
        """Tell whoever started this process, if that is `descend`."""

    def leave(self) -> None:
        """Part from the others, all at once: from here on, none misses another."""
        # They wait for each other here, as JAX's own farewell has a time limit.
        processes_among(Division.among_all()).gathered(self.index)
        jax.distributed.shutdown()


@dataclass(frozen=True)
class Started(Member):
    """One that `descend` has started on this machine, where all meet at a `port`."""

    port: int

    @classmethod
    def here(cls) -> "Started | None":
        """Which one this process is; none, if it was not started as one of several.

        **Raises** `InputError` where the environment tells something else.
        """
        told = os.environ.get(VARIABLE)
        if told is None:
            return None
        found = FORM.fullmatch(told)
        index, count, port = map(int, found.groups()) if found else (0, 0, 0)
        if not (index < count and 0 < port < MAX_PORT):
            raise InputError(f"{VARIABLE} is {told!r}, which names no process, as 0/2@40000 would: `descend` sets it "
                             "for those that it starts, and nobody else should; unset it")
        return cls(index, count, port)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}@{self.port}"

    def join(self, quiet: bool = True) -> None:
        """Meet the others; `quiet`: whether what native libraries print on the way is left out.

        **Raises** `LostError` if some of them do not come, and `DescendError` if JAX does not see all of them.
        """
        threading.Thread(target=_end_with_the_starter, daemon=True).start()
        place = f"{HOST}:{self.port}"
        meet(self.count, quiet, coordinator_address=place, coordinator_bind_address=place, num_processes=self.count,
             process_id=self.index, cluster_detection_method="deactivate", initialization_timeout=JOIN_SECONDS)

    def tell(self, text: str) -> None:
        """It is read when this process has ended."""
        os.write(LINE, text.encode())


def meet(count: int, quiet: bool, **how: Any) -> Member:
    """Have JAX join the others, of `count` processes; `how`: as `jax.distributed.initialize` takes it.

    **Raises** `LostError` if some of them do not come, and `DescendError` if JAX does not see all of them.
    """
    if quiet:
        _leave_native_lines_out()
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(**how, heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
    except RuntimeError as error:
        raise LostError(f"this process could not join the others ({str(error).splitlines()[0]})") from error
    member = Member(jax.process_index(), jax.process_count())
    # Several processes that do not see each other would each train alone, and none would say so.
    seen = processes_among(Division.among_all()).gathered(member.index)
    if seen != list(range(count)):
        raise DescendError(f"process {member.index} of {count} sees {member.count} alone")
    return member


def is_awaited() -> bool:
    """Whether JAX would wait for others as this process ends."""
    return VARIABLE in os.environ or jax.distributed.is_initialized()


def end(code: int) -> None:
    """End this process, without a farewell of JAX's, to which those that are still at work would not come."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _end_with_the_starter() -> None:
    """Save and end, as by SIGTERM, when whoever started this process is gone."""
    while os.read(LINE, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _leave_native_lines_out() -> None:
    """What libraries that are not Python's print goes nowhere; what Python prints, where it went."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        own = os.dup(stream.fileno())
        os.dup2(nowhere, stream.fileno())
        setattr(sys, name, os.fdopen(own, "w", buffering=1, encoding=stream.encoding, errors=stream.errors))
    os.close(nowhere)
