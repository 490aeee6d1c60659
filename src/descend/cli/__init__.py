"""The command line: `descend fit`, `descend predict`."""

import sys

from typer import Typer

from descend.cli.fit import fit
from descend.cli.predict import predict
from descend.errors import DescendError

__all__ = ["main"]

app = Typer(
    name="descend",
    help="Train anything differentiable by gradient descent, and see how it went.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # an error is a line, not a box
)
app.command()(fit)
app.command()(predict)


@app.callback()
def _several_commands() -> None:
    """Keep `fit` a word of the command line."""


def main() -> None:
    """Run the command line; what `descend` refuses is one line on the standard error, and exit code 2."""
    try:
        app()
    except DescendError as error:
        sys.stderr.write(f"descend: {' '.join(str(error).split())}\n")
        sys.exit(2)
