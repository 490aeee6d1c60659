"""What starts the processes of a command, watches them, and starts all anew when one dies."""

import contextlib
import itertools
import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from descend.distributed.children import GRACE_SECONDS, Children, cores
from descend.engine.interruption import INTERRUPTED, LOST, TERMINATED
from descend.errors import InputError

MAX_RESTARTS = 5
# Before the first; twice as many before each of the next.
PAUSE_SECONDS = 0.5
# In which all are to have saved, once somebody has asked for the end and the first of them has ended.
ASKED_GRACE_SECONDS = 10.0
# Of those that have ended for good.
SIGNALS = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


@dataclass
class Supervisor:
    """Runs a command in `count` processes. When one dies, the others are ended, as none can go on without it, and all
    begin anew from the last checkpoint: a few times, each time after a longer pause.

    `arguments`: of `descend`, the command first. `say`: where it tells what happened, a line at a time.

    **Raises** `InputError` for less than one process.
    """

    arguments: Sequence[str]
    count: int
    say: Callable[[str], None]
    # Where the run is, once the first process told.
    _folder: str = field(init=False, default="")
    # What somebody asked for the end by.
    _asked: signal.Signals | None = field(init=False, default=None)
    _children: Children = field(init=False, default_factory=Children)
    _was_asked: threading.Event = field(init=False, default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"--processes must be at least 1, but is {self.count}")
        if 0 < len(cores()) < self.count:
            self.say(f"warning: {self.count} processes share {len(cores())} cores, and wait for each other at each "
                     f"step: --processes {len(cores())} is faster")

    def run(self) -> int:
        """Run it to its end, and return its exit code: 75 where processes died too often."""
        with self._listening():
            for restarts in itertools.count():
                code, fault = self._once()
                if not fault:
                    return code
                if restarts == MAX_RESTARTS:
                    break
                pause = PAUSE_SECONDS * 2**restarts
                where = " from the last checkpoint" if self._folder else ""
                self.say(f"{fault}: all begin anew{where} in {pause:g} s, {restarts + 1} of {MAX_RESTARTS} times")
                if self._was_asked.wait(pause):
                    return self._end_as_asked()
        self.say(f"{fault}, after {MAX_RESTARTS} restarts: go on with {self._command}")
        return LOST

    def _once(self) -> tuple[int, str]:
        """Run it once: the exit code; and what went wrong, if that is worth to try again."""
        with Children() as self._children:
            self._children.start(self._words, self.count)
            self._children.wait(lambda: ASKED_GRACE_SECONDS if self._asked else GRACE_SECONDS)
            return self._judged(self._children)

    def _judged(self, children: Children) -> tuple[int, str]:
        first = children.each[0]
        self._folder = first.told() or self._folder
        if first.code == 0:
            return 0, ""
        if self._asked and first.code not in SIGNALS.values():
            return self._end_as_asked(), ""
        fault = children.at_fault()
        if fault.has_died and not self._asked:
            return LOST, fault.end
        # The first has told it, if it was the same.
        if first.code != fault.code:
            self.say(f"{fault.end}: {fault.complaint()}")
        return first.code if self._asked and first.code else fault.code or 0, ""

    def _end_as_asked(self) -> int:
        self.say(f"interrupted: go on with {self._command}")
        return SIGNALS[self._asked or signal.SIGINT]

    @property
    def _words(self) -> list[str]:
        """The arguments that go on with the run, if it was begun."""
        if not self._folder:
            return list(self.arguments)
        return [self.arguments[0], "--resume", "--out", self._folder, *self.arguments[1:]]

    @property
    def _command(self) -> str:
        return shlex.join(["descend", *self._words])

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM are passed on to all processes, which then end as one alone does."""

        def ask(number: int, _frame: object) -> None:
            self._asked = signal.Signals(number)
            self._was_asked.set()
            self._children.pass_on(number)

        before = {number: signal.signal(number, ask) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
