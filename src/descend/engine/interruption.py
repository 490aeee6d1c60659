"""Ctrl-C and SIGTERM: requests that a descent ends where it is, saved and with its reason."""

import contextlib
import signal
import threading
from collections.abc import Iterator

# The exit codes of processes that ended by these signals.
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
# Of those that missed another process: what systems call a failure that may be over the next time.
LOST = 75


class Interruption(threading.Event):
    """An event that is set when somebody asks for the end; `by`: how."""

    by = "Ctrl-C"


# What the signals set, while it is listened to; of the main thread.
_heard: list[Interruption] = []


@contextlib.contextmanager
def interrupts() -> Iterator[Interruption]:
    """An event that Ctrl-C and SIGTERM set, so that a descent ends between two dispatches; a second Ctrl-C ends it at
    once.

    Within another one, it is that one's event, on threads, too: what is made of several descents ends as one.

    A process that SIGTERM would have ended ends by it afterwards: with its checkpoint saved, as it had nothing else to
    say. One that handles the signal itself, as the command line does, has its reason to tell of.
    """
    if _heard:
        yield _heard[-1]
        return
    event = Interruption()
    if threading.current_thread() is not threading.main_thread():
        # Python lets the main thread alone handle signals.
        yield event
        return

    def interrupt(_number: int, _frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    def terminate(_number: int, _frame: object) -> None:
        event.by = "SIGTERM"
        event.set()

    before = signal.signal(signal.SIGINT, interrupt), signal.signal(signal.SIGTERM, terminate)
    _heard.append(event)
    try:
        yield event
    finally:
        _heard.pop()
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
        if event.by == "SIGTERM" and before[1] == signal.SIG_DFL:
            signal.raise_signal(signal.SIGTERM)
