"""`descend predict`: what a trained model says of another table, of other pictures or texts."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from descend.cli._console import Console, say
from descend.tasks.common.folder import read_model
from descend.tasks.common.network.storing import classifier_from
from descend.tasks.common.predicting import check_suffix, refuse_overwriting, write_frame
from descend.tasks.common.reading import read_table
from descend.tasks.predicting import predicted
from descend.tasks.table.predicting import predict_frame
from descend.tasks.table.storing import load_model


def predict(
    run: Annotated[Path, Argument(help="The folder that descend fit wrote.")],
    source: Annotated[str, Argument(help="A table with the columns that the model was trained on; or a folder of "
                                         "pictures, one picture, or an IDX file.")],
    output: Annotated[Path, Option("--output", "-o", help="Where to write: .csv, .tsv, .parquet or .feather.")],
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a table with the model's predictions, beside its columns if there was one."""
    check_suffix(output)
    refuse_overwriting(output, source, run)
    console = Console(quiet=quiet)
    classifier = classifier_from(*read_model(run))
    if classifier is not None:
        made, notes = predicted(classifier, source)
        write_frame(made, output)
        column = made.columns[-len(classifier.classes) - 1]
        say(console, f"{len(made):,} predictions in {output}, column '{column}'")
        for note in notes:
            say(console, note)
        return
    model = load_model(run)
    frame = read_table(source).frame
    made = predict_frame(model, frame)
    write_frame(made, output)
    say(console, f"{len(made):,} predictions in {output}, column '{made.columns[len(frame.columns)]}'")
    if ignored := model.encoder.extra_columns(frame):
        say(console, f"not used by the model, and left as they are: {', '.join(ignored)}")
