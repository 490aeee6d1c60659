"""The command line: `descend fit`, `predict`, `lm`, `generate`, `rl`, `rl play`, `optimizers`."""

import contextlib
import gc
import signal
import sys
import warnings
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import jax
from typer import Typer
from typer.core import TyperGroup

from descend._locks import release_all
from descend.engine.interruption import TERMINATED
from descend.errors import DescendError, InputError
from descend.programs import keep_programs

__all__ = ["main"]

COMMANDS = {"fit": "fit", "predict": "predict", "lm": "lm", "generate": "generate", "rl": "rl", "rl play": "rl",
            "optimizers": "optimizers"}
ALLOCATED = 100_000  # objects, after which Python looks for cycles among them; it does after 700 where nobody says


class Commands(TyperGroup):
    """The commands, of which some have names of two words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        words = " ".join(args[:2])
        return (words, self.commands[words], args[2:]) if words in self.commands else super().resolve_command(ctx, args)


def main() -> None:
    """Run the command line; what `descend` refuses is one line on the standard error, and exit code 2."""
    jax.config.update("jax_enable_x64", False)  # whoever asks all programs for it: what a command computes is settled
    # What is imported, traced and compiled stays: to look through it for cycles takes a tenth of a short run.
    gc.set_threshold(ALLOCATED)
    warnings.showwarning = lambda message, *_: _tell(f"warning: {message}")  # without a place in the source
    with contextlib.suppress(InputError):  # a folder that cannot be written: then nothing is kept
        keep_programs()
    for stream in (sys.stdout, sys.stderr):  # what a terminal cannot print is a question mark, and ends nothing
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        _app(sys.argv[1:])()
    except (DescendError, OSError) as error:  # the system's own errors: a full disk, a folder that is closed to us
        _tell(str(error))
        sys.exit(2)
    finally:
        release_all()


def _app(arguments: list[str]) -> Typer:
    """The command that is asked for, as each imports what the others have no need of; all, where that is not clear."""
    app = Typer(
        cls=Commands,
        name="descend",
        help="Train anything differentiable by gradient descent, and see how it went.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # an error is a line, not a box
    )
    app.callback()(lambda: None)  # with it, one command alone is still called by its name
    asked = [name for name in COMMANDS if arguments and name.split()[0] == arguments[0]]
    for name in asked or COMMANDS:
        module = import_module(f"descend.cli.{COMMANDS[name]}")
        app.command(name)(getattr(module, name.split()[-1]))
    return app


def _tell(message: str) -> None:
    sys.stderr.write(f"descend: {' '.join(message.split())}\n")
