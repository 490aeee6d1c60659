"""The command line: `descend fit`, `predict`, `lm`, `generate`, `rl`, `rl play`, `optimizers`."""

import sys
import warnings
from typing import Any

from typer import Typer
from typer.core import TyperGroup

from descend.cli._programs import keep_programs
from descend.cli.fit import fit
from descend.cli.generate import generate
from descend.cli.lm import lm
from descend.cli.optimizers import optimizers
from descend.cli.predict import predict
from descend.cli.rl import play, rl
from descend.errors import DescendError

__all__ = ["main"]


class Commands(TyperGroup):
    """The commands, of which some have names of two words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        words = " ".join(args[:2])
        return (words, self.commands[words], args[2:]) if words in self.commands else super().resolve_command(ctx, args)


app = Typer(
    cls=Commands,
    name="descend",
    help="Train anything differentiable by gradient descent, and see how it went.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # an error is a line, not a box
)
app.command()(fit)
app.command()(predict)
app.command()(lm)
app.command()(generate)
app.command()(rl)
app.command("rl play")(play)
app.command()(optimizers)


def main() -> None:
    """Run the command line; what `descend` refuses is one line on the standard error, and exit code 2."""
    warnings.showwarning = lambda message, *_: _tell(f"warning: {message}")  # without a place in the source
    keep_programs()
    try:
        app()
    except (DescendError, OSError) as error:  # the system's own errors: a full disk, a folder that is closed to us
        _tell(str(error))
        sys.exit(2)


def _tell(message: str) -> None:
    sys.stderr.write(f"descend: {' '.join(message.split())}\n")
