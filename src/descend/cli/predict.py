"""`descend predict`: what a trained model says of another table, of other pictures or texts."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from descend.cli._console import Console, say
from descend.tasks.common.predicting import check_suffix, refuse_overwriting, write_frame
from descend.tasks.loading import stored_model


def predict(
    run: Annotated[Path, Argument(help="The folder that descend fit wrote.")],
    source: Annotated[str, Argument(help="A table with the columns that the model was trained on; or a folder of "
                                         "pictures, one picture, or an IDX file.")],
    output: Annotated[Path, Option("--output", "-o", help="Where to write: .csv, .tsv, .parquet or .feather.")],
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a table with the model's predictions, beside its columns if there was one."""
    # What cannot be written is refused before anything is computed.
    check_suffix(output)
    refuse_overwriting(output, source, run)
    console = Console(quiet=quiet)
    made = stored_model(run).predictions(source)
    write_frame(made.frame, output)
    say(console, f"{len(made.frame):,} predictions in {output}, column '{made.column}'")
    for note in made.notes:
        say(console, note)
