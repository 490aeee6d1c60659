"""`descend fit`: train a model on a table, on pictures, or on texts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from descend.cli._console import NO_INSIGHT, Console, say
from descend.cli._sharing import ON, PROCESSES, Sharing
from descend.cli._threads import one_for_each_step
from descend.distributed.launched import Launcher
from descend.errors import InputError
from descend.tasks.common.settings import AUTO, HELD_OUT, settings_of
from descend.tasks.of_pictures import task_of_pictures
from descend.tasks.of_table import task_of_table, untold_target

if TYPE_CHECKING:
    from descend.tasks.common.settings import Settings
    from descend.tasks.common.task import Task

SOURCE = ("A table: CSV and its kin, Parquet, Feather, JSON, a workbook or SQLite (FILE#NAME for one of several), "
          "packed or not; a folder of such, or a pattern in quotes, as 'parts/*.parquet'; a URL; - for the standard "
          "input; sample:NAME of scikit-learn's. What is larger than memory is read block by block. A folder with a "
          "folder of pictures for each class, or with a table of their labels, in the columns file and label; or IDX "
          "files of images.")
DESCENT = ("sgd, adagrad, rmsprop, adam or adamw. With this, --learning-rate, --batch-size or --epochs the linear "
           "model is trained in such steps, too; otherwise a solver seeks its minimum, and says how near it "
           "provably is.")
COLUMN = ("What a column is, where it is guessed otherwise: number, category, text, date, id or ignore. A form may "
          "follow, as in day=date:%d/%m/%Y or price=number:1.234,5.")
WEIGHTS = "The column that tells how much each row counts, in training and in scores: 2 is as the row twice."
CLASS_WEIGHTS = ("How much rows of a class count: balanced, all classes as much as each other; or NAME=NUMBER,… for "
                 "those that do not count 1.")
FAST = "Of tables: a model soon: one network of a third of the steps, validated on a fifth of the rows."
LAYERS = "Of perceptrons for tables: how many hidden layers, from 1 to 4."
WIDTH = "Of perceptrons for tables: units of each hidden layer."
SPLIT_SEED = "Of the division of the rows alone; by default --seed. With it, seeds can be compared on the same rows."
BEST = "Of tables: more networks to choose from and to blend, however long that takes."
METRIC = ("What models are compared by, on rows that they have not seen: log-loss, accuracy, balanced-accuracy, auc or "
          "brier of classes, rmse or mae of numbers; by default log-loss, or the squared error without outliers.")
TIME = "When each row was: the latest are held out, and the latest of the others are validated on."
START = ("Of pictures: weights to start from: a run of descend fit, or a file of a ResNet in torchvision's layout, in "
         "the format safetensors.")


def fit(
    source: Annotated[str, Argument(help=SOURCE)],
    target: Annotated[str | None, Option(help="The column to predict. Pictures have their classes.")] = None,
    model: Annotated[
        str, Option(help="Of tables: a model by its name; auto tries all that there are, and says why it chose.")
    ] = AUTO,
    optimizer: Annotated[str | None, Option(help=DESCENT)] = None,
    learning_rate: Annotated[float | None, Option(help="The highest of a cosine schedule.")] = None,
    batch_size: Annotated[int | None, Option(help="Rows per step.")] = None,
    epochs: Annotated[float | None, Option(help="Times to see all rows, at the most.")] = None,
    seconds: Annotated[float | None, Option(help="Time to train, at the most.")] = None,
    hidden_layers: Annotated[int | None, Option(metavar="N", help=LAYERS)] = None,
    width: Annotated[int | None, Option(metavar="N", help=WIDTH)] = None,
    seed: Annotated[int, Option(help="Of the hold-out split, the weights and the shuffling.")] = 0,
    split_seed: Annotated[int | None, Option(metavar="SEED", help=SPLIT_SEED)] = None,
    hold_out: Annotated[float | None, Option(help=f"Share of the rows to score on; by default {HELD_OUT}.")] = None,
    out: Annotated[Path | None, Option(help="The run's folder; by default runs/NAME.")] = None,
    task: Annotated[str | None, Option(help="Of tables: regression, to predict numbers, or classes.")] = None,
    column: Annotated[list[str] | None, Option(metavar="NAME=KIND", help=COLUMN)] = None,
    drop: Annotated[list[str] | None, Option(metavar="NAME", help="A column that is not to be learnt from.")] = None,
    missing: Annotated[
        list[str] | None, Option(metavar="VALUE", help="A word or number that stands for a gap, such as -999.")
    ] = None,
    weights: Annotated[str | None, Option(metavar="COLUMN", help=WEIGHTS)] = None,
    class_weights: Annotated[str | None, Option(metavar="balanced|NAME=NUMBER,…", help=CLASS_WEIGHTS)] = None,
    test: Annotated[
        str | None, Option(metavar="TABLE", help="The table to score on, instead of a share of the rows.")
    ] = None,
    group: Annotated[
        str | None, Option(metavar="COLUMN", help="Its groups, such as patients, stay whole wherever rows are divided.")
    ] = None,
    time: Annotated[str | None, Option(metavar="COLUMN", help=TIME)] = None,
    metric: Annotated[str | None, Option(help=METRIC)] = None,
    fast: Annotated[bool, Option("--fast", help=FAST)] = False,
    best: Annotated[bool, Option("--best", help=BEST)] = False,
    start: Annotated[Path | None, Option("--from", help=START)] = None,
    skip_damaged: Annotated[
        bool, Option("--skip-damaged", help="Of pictures: go on without those that cannot be read.")
    ] = False,
    processes: Annotated[int | None, Option(metavar="N", help=PROCESSES)] = None,
    on: Annotated[Launcher | None, Option(help=ON)] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
    no_insight: Annotated[bool, Option("--no-insight", help=NO_INSIGHT)] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print the metrics as JSON, and nothing else.")] = False,
) -> None:
    """Train a model that predicts a column of a table from the others, or tells pictures or texts apart."""
    # Said before what takes a second to import, so that somebody sees that it began.
    console = Console(quiet=quiet or as_json)
    sharing = Sharing(processes, on)
    if not sharing.option:
        say(console, f"reading {source}")

    from descend.tasks.common.patterns import paths_of
    from descend.tasks.common.sources import are_too_large
    from descend.tasks.images.labels import LABEL_COLUMN
    from descend.tasks.images.pictures import CLASS, has_pictures, labelled_by, read_collection
    from descend.tasks.table.registry import refuse_unknown_model

    refuse_unknown_model(model)
    settings = settings_of(
        CLASS if target is None else target, hold_out, test, model=model, optimizer=optimizer,
        learning_rate=learning_rate, batch_size=batch_size, epochs=epochs, seconds=seconds, seed=seed, task=task,
        column=column, drop=drop, missing=missing, weights=weights, class_weights=class_weights, group=group, time=time,
        metric=metric, fast=fast, best=best, split_seed=split_seed, hidden_layers=hidden_layers, width=width,
    )
    how: dict[str, Any] = {"source": source, "out": out, "resume": resume, "console": console, "as_json": as_json,
                           "insight": not no_insight, "sharing": sharing}
    if has_pictures(source):
        sharing.refuse(f"pictures in {source}")
        collection = read_collection(source, skip_damaged)
        if target is not None:
            raise InputError(f"--target is for tables: the pictures in {source} have their classes already")
        _fit(task_of_pictures(collection, settings, hold_out, start), **how)
        return
    if are_too_large(paths_of(source)):
        others = {"--from": start is not None, "--skip-damaged": skip_damaged, sharing.option: bool(sharing.option)}
        told_target = None if target is None else settings
        _fit(_in_blocks(source, told_target, [name for name, given in others.items() if given], console), **how)
        return
    if (member := sharing.joined(settings, source)) is not None:
        how["member"] = member
        console.quiet = console.quiet or not member.is_first
        say(console, f"reading {source}")
    from descend.tasks.common.asked import of_words
    from descend.tasks.common.reading import read_table

    table = read_table(source, of_words(settings.column))
    pictures = labelled_by(table, source, skip_damaged) if target is None or target.casefold() == LABEL_COLUMN else None
    if pictures is not None:
        _fit(task_of_pictures(pictures, settings, hold_out, start), **how)
        return
    for option, is_given in {"--skip-damaged": skip_damaged, "--from": start is not None}.items():
        if is_given:
            raise InputError(f"{option} is for pictures, and {table.name} is a table without them")
    if target is None:
        raise untold_target(table)
    # Somebody's own network may be so wide that all cores are worth it.
    if width is None:
        one_for_each_step()
    _fit(task_of_table(table, settings), **how)


def _fit(task: "Task", sharing: Sharing, **how: Any) -> None:
    if not task.is_divided:
        sharing.refuse(f"{task.unit} in {task.name}")
    # What draws progress is imported after what was read could be refused.
    from descend.cli._fit import fit_task

    fit_task(task, **how)


def _in_blocks(source: str, settings: "Settings | None", others: list[str], console: Console) -> "Task":
    """The task of a table larger than memory; refused is what only others have. `settings`: None without a target."""
    from descend.observers.progress import ProgressBar
    from descend.tasks.blocks.files import TableFiles
    from descend.tasks.blocks.task import BlocksTask, refuse_unknown
    from descend.tasks.common.columns import listing

    files = TableFiles.of(source)
    if settings is None:
        raise InputError(f"--target names the column to predict: {files.name} has {listing(files.schema.names)}")
    refuse_unknown(settings, others)
    say(console, files.told)
    looks = lambda title: () if console.quiet else (ProgressBar(title, console, ("rows", 1)),)
    return BlocksTask(files, settings, looks)
