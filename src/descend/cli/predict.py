"""`descend predict`: what a trained model says of another table."""

from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from descend.tables.folder import load_model
from descend.tables.predicting import check_suffix, predict_frame, write_frame
from descend.tables.reading import read_table


def predict(
    run: Annotated[Path, Argument(help="The folder that descend fit wrote.")],
    table: Annotated[str, Argument(help="A table with the columns that the model was trained on.")],
    output: Annotated[Path, Option("--output", "-o", help="Where to write: .csv, .tsv, .parquet or .feather.")],
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a table with the model's predictions beside its columns."""
    check_suffix(output)
    model = load_model(run)
    frame = read_table(table).frame
    predicted = predict_frame(model, frame)
    write_frame(predicted, output)
    console = Console(quiet=quiet)
    added = predicted.columns[len(frame.columns)]
    console.print(f"{len(predicted):,} predictions in {output}, column '{added}'", highlight=False, markup=False,
                  soft_wrap=True)
    if ignored := model.encoder.extra_columns(frame):
        console.print(f"not used by the model, and left as they are: {', '.join(ignored)}", highlight=False,
                      markup=False, soft_wrap=True)
