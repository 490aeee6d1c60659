"""`descend predict`: what a trained model says of another table, of other pictures or texts."""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from descend.cli._console import Console, complain_in_a_line, pipe, say
from descend.tasks.common.predicting import refuse_overwriting
from descend.tasks.common.streaming import is_written_in_blocks, pass_blocks, write_blocks
from descend.tasks.common.writing import as_csv, check_suffix, write_frame
from descend.tasks.loading import Streaming, stored_model

if TYPE_CHECKING:
    from pyarrow import RecordBatch

STANDARD_OUTPUT = Path("-")
OUTPUT = ("Where to write: .csv, .tsv, .json, .jsonl, .parquet, .feather, .arrow or .sqlite, packed if .gz, .bz2, .xz, "
          ".zst or .zip is behind it; - for CSV to the standard output.")
INTERVAL = ("Of tables: also between what the truth is with this probability, such as 0.9: low and high, or the "
            "classes that are possible.")


def predict(
    run: Annotated[Path, Argument(help="The folder that descend fit wrote.")],
    source: Annotated[str, Argument(help="A table with the columns that the model was trained on; or a folder of "
                                         "pictures, one picture, or an IDX file.")],
    output: Annotated[Path, Option("--output", "-o", help=OUTPUT)],
    interval: Annotated[float | None, Option(help=INTERVAL)] = None,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a table with the model's predictions, beside its columns if there was one."""
    is_piped = output == STANDARD_OUTPUT
    # What cannot be written is refused before anything is computed.
    if not is_piped:
        check_suffix(output)
        refuse_overwriting(output, source, run)
    console = Console(quiet=quiet)
    model = stored_model(run)
    if isinstance(model, Streaming) and (is_piped or is_written_in_blocks(output)):
        _stream(model.blocks(source, interval), output, console)
        return
    made = model.predictions(source, interval)
    if is_piped:
        pipe(as_csv(made.frame))
        for note in () if quiet else made.notes:
            complain_in_a_line(note)
        return
    write_frame(made.frame, output)
    say(console, f"{len(made.frame):,} predictions in {output}, column '{made.column}'")
    for note in made.notes:
        say(console, note)


def _stream(blocks: Iterator[tuple["RecordBatch", str]], output: Path, console: Console) -> None:
    """Write blocks one below another; or give them to the standard output, as text."""
    first, column = next(blocks)
    every = chain([first], (block for block, _ in blocks))
    if output == STANDARD_OUTPUT:
        pass_blocks(every, sys.stdout.buffer, ".csv")
        return
    rows = write_blocks(every, output)
    say(console, f"{rows:,} predictions in {output}, column '{column}'")
