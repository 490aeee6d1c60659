"""`descend sweep`: train a model on a table with many settings, and keep the best."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from descend.cli._console import Console, say
from descend.cli._options import with_options_of
from descend.cli.fit import fit, settings_of, untold_target
from descend.errors import InputError

if TYPE_CHECKING:
    from descend.tasks.table.task import TableTask

OVER = ("A setting and the values to try: 0.1,0.3 or FROM:TO:log:COUNT or FROM:TO:linear:COUNT, or of whole numbers "
        "FROM:TO, without TO. Of several --over, all combinations are tried. May vary: learning_rate, batch_size, "
        "epochs, hidden_layers, width, optimizer, model, seed. Seeds of the same settings go on or stop together, by "
        "their mean.")
NO_HALVING = "Take all trials to their end; otherwise the worse half of the settings is stopped after each round."
DIVIDED = ("Divide the trials with other processes: start the same command, with the same --out, as often as you like, "
          "on one machine or on several that see the folder.")
# Of `descend fit`. What a time allows hangs on how busy the machine is, and so would what is compared.
WITHOUT = ("seconds", "best", "processes", "on", "skip_damaged", "no_insight", "start")

USUAL_MODEL = "mlp"


# Without a default, so that it is known what was given.
@with_options_of(fit, without=WITHOUT, model=None, seed=None)
def sweep(
    source: Annotated[str, Argument(help="A table, as for descend fit.")],
    over: Annotated[list[str] | None, Option(metavar="NAME=VALUES", help=OVER)] = None,
    no_halving: Annotated[bool, Option("--no-halving", help=NO_HALVING)] = False,
    out: Annotated[Path | None, Option(help="The sweep's folder; by default runs/NAME-sweep.")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the sweep in the folder.")] = False,
    shared: Annotated[bool, Option("--shared", help=DIVIDED)] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print what came of it as JSON, and nothing else.")] = False,
    **fixed: Any,
) -> None:
    """Train a model of a table with many settings, and keep the best, by rows that no trial has learnt from.

    All other options are those of descend fit, and hold for all trials. Without --model, it is mlp, the perceptron.
    """
    console = Console(quiet=quiet or as_json)
    say(console, f"reading {source}")
    from descend.tasks.sweep.axes import spanned

    axes = spanned(over or [])
    for axis in axes:
        if fixed[axis.name] is not None:
            option = f"--{axis.name.replace('_', '-')}"
            raise InputError(f"{option} and --over {axis.name} settle the same: give one of them")
    if not axes:
        raise InputError("say with --over which setting to vary, as in --over learning_rate=0.001:1:log:9")
    if shared and out is None:
        raise InputError("say with --out which folder the processes share")
    task = _task(source, **fixed)
    # What draws progress, and what trains, is imported after what was read could be refused.
    from descend.cli._sweep import sweep_table

    sweep_table(task, axes, source, not no_halving, out, resume, shared, console, as_json)


def _task(
    source: str, target: str | None, hold_out: float | None, test: str | None, model: str | None, seed: int | None,
    **others: Any,
) -> "TableTask":
    """What all trials learn.

    **Raises** `InputError` for what is no table, and for settings that cannot be used.
    """
    from descend.tasks.common.asked import of_words
    from descend.tasks.common.reading import read_table
    from descend.tasks.common.typed_table import type_table
    from descend.tasks.images.pictures import has_pictures
    from descend.tasks.table.registry import refuse_unknown_model
    from descend.tasks.table.task import TableTask

    others |= {"model": model or USUAL_MODEL, "seed": seed or 0}
    refuse_unknown_model(others["model"])
    settings = settings_of(target or "", hold_out, test, **others)
    if has_pictures(source):
        raise InputError(f"descend sweep is for tables, and {source} has pictures")
    table = read_table(source, of_words(settings.column))
    if target is None:
        raise untold_target(table)
    return TableTask(type_table(table, settings), settings)
