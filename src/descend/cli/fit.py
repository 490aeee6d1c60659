"""`descend fit`: train a model on a table, on pictures, or on texts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from descend.cli._console import Console, say
from descend.errors import InputError

if TYPE_CHECKING:
    from descend.tasks.common.collection import Collection
    from descend.tasks.common.reading import Table

SOURCE = ("A CSV, TSV, Parquet or Feather file, or sample:NAME of scikit-learn's; a folder with a folder of pictures "
          "for each class, or with a table of their labels, in the columns file and label; or IDX files of images.")
DESCENT = ("sgd, adagrad, rmsprop, adam or adamw. With this, --learning-rate, --batch-size or --epochs the linear "
           "model is trained in such steps, too; otherwise a solver seeks its minimum, and says how near it "
           "provably is.")
HELD_OUT = 0.2


def fit(
    source: Annotated[str, Argument(help=SOURCE)],
    target: Annotated[str | None, Option(help="The column to predict. Pictures have their classes.")] = None,
    model: Annotated[
        Literal["auto", "linear", "mlp"], Option(help="Of tables: auto tries both, and says why it chose.")
    ] = "auto",
    optimizer: Annotated[str | None, Option(help=DESCENT)] = None,
    learning_rate: Annotated[float | None, Option(help="The highest of a cosine schedule.")] = None,
    batch_size: Annotated[int | None, Option(help="Rows per step.")] = None,
    epochs: Annotated[float | None, Option(help="Times to see all rows, at the most.")] = None,
    seconds: Annotated[float | None, Option(help="Time to train, at the most.")] = None,
    seed: Annotated[int, Option(help="Of the hold-out split, the weights and the shuffling.")] = 0,
    hold_out: Annotated[float | None, Option(help=f"Share of the rows to score on; by default {HELD_OUT}.")] = None,
    out: Annotated[Path | None, Option(help="The run's folder; by default runs/NAME.")] = None,
    skip_damaged: Annotated[
        bool, Option("--skip-damaged", help="Of pictures: go on without those that cannot be read.")
    ] = False,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print the metrics as JSON, and nothing else.")] = False,
) -> None:
    """Train a model that predicts a column of a table from the others, or tells pictures or texts apart."""
    console = Console(quiet=quiet or as_json)
    say(console, f"reading {source}")  # before what takes a second to import

    from descend.tasks.common.collection import CLASS
    from descend.tasks.common.settings import Settings
    from descend.tasks.images.pictures import LABEL, has_pictures, labelled_by, read_collection

    predicted, share = CLASS if target is None else target, HELD_OUT if hold_out is None else hold_out
    settings = Settings(predicted, model, optimizer, learning_rate, batch_size, epochs, seconds, seed, share)
    how = (out, resume, console, as_json)
    if has_pictures(source):
        collection = read_collection(source, skip_damaged)
        if target is not None:
            raise InputError(f"--target is for tables: the pictures in {source} have their classes already")
        _fit_pictures(collection, model, hold_out, settings, *how)
        return
    from descend.tasks.common.reading import read_table
    from descend.tasks.text.texts import as_texts

    table = read_table(source)
    pictures = labelled_by(table, source, skip_damaged) if target is None or target.casefold() == LABEL else None
    if pictures is not None:
        _fit_pictures(pictures, model, hold_out, settings, *how)
        return
    if skip_damaged:
        raise InputError(f"--skip-damaged is for pictures, and {table.name} is a table without them")
    if target is None:
        raise InputError(f"{table.name} is a table: say with --target which column to predict, one of "
                         f"{_columns(table)}")
    texts = as_texts(table, target) if model == "auto" else None
    if texts is not None:
        _fit_collection(texts, settings, *how)
        return
    from descend.cli._fit_table import fit_table

    fit_table(table, settings, *how)


def _fit_pictures(collection: "Collection", model: str, hold_out: float | None, *how: Any) -> None:
    """Learn from pictures; refused is what only tables have."""
    if model != "auto":
        raise InputError(f"--model {model} is for tables: pictures have a network of their own")
    if collection.test is not None and hold_out is not None:
        raise InputError(f"--hold-out is for what is not divided yet: {collection.name} has its own test set")
    _fit_collection(collection, *how)


def _fit_collection(*how: Any) -> None:
    from descend.cli._fit_labelled import fit_labelled  # networks of pictures and texts take a second to import

    fit_labelled(*how)


def _columns(table: "Table") -> str:
    names = [str(name) for name in table.frame.columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")
