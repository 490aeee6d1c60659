"""`descend sweep`: train a model with many settings, and keep the best."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from descend.cli._console import Console, say
from descend.cli._options import with_options_of
from descend.cli.fit import fit
from descend.errors import InputError

OVER = ("A setting and the values to try: 0.1,0.3 or FROM:TO:log:COUNT or FROM:TO:linear:COUNT, or of whole numbers "
        "FROM:TO, without TO. Of several --over, all combinations are tried. May vary: learning_rate, batch_size, "
        "epochs, hidden_layers, width, optimizer, model, seed. Seeds of the same settings go on or stop together, by "
        "their mean.")
NO_HALVING = "Take all trials to their end; otherwise the worse half of the settings is stopped after each round."
DIVIDED = ("Divide the trials with other processes: start the same command, with the same --out, as often as you like, "
          "on one machine or on several that see the folder.")
# Of `descend fit`. What a time allows hangs on how busy the machine is, and so would what is compared.
WITHOUT = ("seconds", "best", "processes", "on", "no_insight", "start")


# Without a default, so that it is known what was given.
@with_options_of(fit, without=WITHOUT, model=None, seed=None)
def sweep(
    source: Annotated[str, Argument(help="A table, pictures or texts, as for descend fit.")],
    over: Annotated[list[str] | None, Option(metavar="NAME=VALUES", help=OVER)] = None,
    no_halving: Annotated[bool, Option("--no-halving", help=NO_HALVING)] = False,
    out: Annotated[Path | None, Option(help="The sweep's folder; by default runs/NAME-sweep.")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the sweep in the folder.")] = False,
    shared: Annotated[bool, Option("--shared", help=DIVIDED)] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print what came of it as JSON, and nothing else.")] = False,
    **fixed: Any,
) -> None:
    """Train a model with many settings, and keep the best, by rows, pictures or texts that no trial has learnt from.

    All other options are those of descend fit, and hold for all trials. Of tables, without --model, it is mlp, the
    perceptron; of pictures and texts it is their network.
    """
    console = Console(quiet=quiet or as_json)
    say(console, f"reading {source}")
    from descend.tasks.sweep.axes import spanned
    from descend.tasks.sweep.reading import task_to_sweep

    axes = spanned(over or [])
    if not axes:
        raise InputError("say with --over which setting to vary, as in --over learning_rate=0.001:1:log:9")
    if shared and out is None:
        raise InputError("say with --out which folder the processes share")
    task = task_to_sweep(source, axes, **fixed)
    # What draws progress, and what trains, is imported after what was read could be refused.
    from descend.cli._sweep import make
    from descend.tasks.sweep.sweeping import begin_sweep

    begun = begin_sweep(task, axes, source, is_halved=not no_halving, out=out, resume=resume, is_shared=shared)
    make(begun, console, as_json)
