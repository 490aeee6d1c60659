"""The command line: `descend fit`, `sweep`, `predict`, `export`, `doctor`, `lm`, `lm score`, `generate`, `rl`,
`rl play`, `optimizers` and `studio`."""

import contextlib
import gc
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module
from io import StringIO, TextIOWrapper
from typing import Any

import jax
from typer import Typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from descend._locks import release_all
from descend.cli._console import DEBUG, complain, complain_in_a_line
from descend.distributed.member import VARIABLE, end, is_awaited
from descend.engine.interruption import LOST, TERMINATED
from descend.errors import DescendError, InputError, LostError
from descend.programs import keep_programs

__all__ = ["main"]

COMMANDS = {"fit": "fit", "sweep": "sweep", "predict": "predict", "export": "export", "doctor": "doctor", "lm": "lm",
            "lm score": "score", "generate": "generate", "rl": "rl", "rl play": "rl", "optimizers": "optimizers",
            "studio": "studio"}
HINT = f"With {DEBUG}, an error is shown with its whole trace."
# So many new objects, and Python looks for cycles among them; it does after 700 where nobody says.
GC_THRESHOLD = 500_000


class Commands(TyperGroup):
    """The commands, of which some have names of two words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        words = " ".join(args[:2])
        return (words, self.commands[words], args[2:]) if words in self.commands else super().resolve_command(ctx, args)


def main() -> None:
    """Run the command line; what `descend` refuses is one line on the standard error, and exit code 2."""
    # Even if the environment asks for it: in which precision a command computes is settled.
    jax.config.update("jax_enable_x64", False)
    # What is imported, traced and compiled stays: to look through it for cycles takes a tenth of a short run.
    gc.set_threshold(GC_THRESHOLD)
    # Users are not told where in our source a warning comes from.
    warnings.showwarning = lambda message, *_: complain_in_a_line(f"warning: {message}")
    # Pillow logs of damaged pictures, which we tell of ourselves.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    # A folder that cannot be written: then nothing is kept.
    with contextlib.suppress(InputError):
        keep_programs()
    # What a terminal cannot print is a question mark, and ends nothing.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    # Taken out before the line is read, as what goes wrong may do so while it is.
    arguments = [word for word in sys.argv[1:] if word != DEBUG]
    try:
        code = _told(lambda: _app(arguments)(arguments, standalone_mode=False), DEBUG in sys.argv)
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 1
    finally:
        release_all()
        # Python looks through all that there is for cycles before it ends, which would take a second.
        gc.freeze()
    if is_awaited():
        end(code)
    sys.exit(code)


def _told(command: Callable[[], Any], debug: bool) -> int:
    """The exit code of a command; of an error, one line is printed, and with `debug` the trace before it."""
    try:
        return command() or 0
    except TyperException as error:
        # The line itself is wrong: how it is to be used is told, too.
        shown = StringIO()
        error.show(shown)  # type: ignore[attr-defined]  # of those that are raised, each has it
        complain(shown.getvalue().rstrip("\n"))
        return error.exit_code
    except Exception as error:
        if debug:
            complain(traceback.format_exc().rstrip("\n"))
        return _told_of(error)


def _told_of(error: Exception) -> int:
    """One line about an error, and the exit code: 2 for what can be mended outside of `descend`, 75 for what may go
    well the next time."""
    if isinstance(error, LostError):
        # Whoever started it sees that, and what to do.
        if VARIABLE not in os.environ:
            complain_in_a_line(str(error))
        return LOST
    # Ours, or the system's own: a full disk, a folder that is closed to us.
    if isinstance(error, DescendError | OSError):
        complain_in_a_line(str(error))
        return 2
    if isinstance(error, MemoryError):
        told = f" ({error})" if str(error) else ""
        complain_in_a_line(f"there is not enough memory{told}: close other programs, or take less data")
        return 2
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    complain_in_a_line(f"this is a fault of descend, and none of yours ({told}): run the same with {DEBUG} to see the "
                       "trace, and report it")
    return 1


def _app(arguments: list[str]) -> Typer:
    """The command that is asked for, as each imports what the others have no need of; all, where that is not clear."""
    app = Typer(
        cls=Commands,
        name="descend",
        help="Train anything differentiable by gradient descent, and see how it went.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # An error is a line, not a box.
        rich_markup_mode=None,
        epilog=HINT,
    )
    # With it, one command alone is still called by its name.
    app.callback()(lambda: None)
    asked = [name for name in COMMANDS if arguments and name.split()[0] == arguments[0]]
    for name in asked or COMMANDS:
        module = import_module(f"descend.cli.{COMMANDS[name]}")
        app.command(name, epilog=HINT)(getattr(module, name.split()[-1]))
    return app
