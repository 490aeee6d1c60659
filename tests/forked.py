"""The command line in processes that begin at once: children of a server which has imported all that takes long.

They can be killed at any moment, as what somebody started in a shell can be; nothing of JAX's has begun in the server.
"""

import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

IMPORTED = (
    "descend.cli.fit",
    "descend.cli.lm",
    "descend.cli.rl",
    "descend.cli._fit",
    "descend.tasks.images.pictures",
    "descend.tasks.images.task",
    "descend.tasks.text.task",
    "descend.tasks.table.task",
    "descend.tasks.table.report",
    "descend.tasks.table.linear.path",
)
SAID = "said.txt"  # beside the run: what the command printed

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["forked", *IMPORTED])


def started(folder: Path, *arguments: object, prepare: Callable[[], None] | None = None) -> ForkServerProcess:
    """A process that `descend` runs in, within a folder; `prepare` is called in it first."""
    process = _server.Process(target=_command, args=(folder, list(map(str, arguments)), prepare))
    process.start()
    return process


def said(folder: Path) -> str:
    """What the last command in this folder printed, to either stream."""
    return (folder / SAID).read_text()


def saves_all_the_time() -> None:
    """Write a checkpoint before every dispatch, however long that takes."""
    from descend.engine import timed

    timed.Clock.is_due = lambda *_: True  # type: ignore[method-assign]


def waits_for_the_end() -> None:
    """As above; and after two dispatches it waits for the signal that ends it."""
    from descend.engine import interruption, timed

    looks = itertools.count(1)

    def is_due(*_: object) -> bool:
        is_later = next(looks) > 2
        while is_later and not interruption._heard[-1].is_set():
            time.sleep(0.01)
        return True

    timed.Clock.is_due = is_due  # type: ignore[method-assign]


def _command(folder: Path, arguments: list[str], prepare: Callable[[], None] | None) -> None:
    os.chdir(folder)
    out = os.open(SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)
    sys.argv = ["descend", *arguments]
    if prepare is not None:
        prepare()
    from descend.cli import main

    main()
