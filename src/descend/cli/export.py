"""`descend export`: a trained model as a file, or a folder, that other programs run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from descend._jax_file import SUFFIX
from descend.cli._console import Console, say
from descend.errors import DescendError, InputError

if TYPE_CHECKING:
    import pandas as pd

UNCOMPARED = "written, and not compared, which takes the packages transformers and torch"


def export(
    run: Annotated[Path, Argument(help="The folder that descend fit wrote, or a model that Python saved.")],
    output: Annotated[Path, Argument(help="The file to write, of ONNX: its name ends with .onnx; of a "
                                                 "language model, a new folder; of a ResNet, its weights, if the "
                                                 "name ends with .safetensors; for JAX, if it ends with .jax.")],
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a trained model as ONNX, which runs without Python, or for JAX, once it was seen to agree.

    ONNX needs the extra export. What is written for JAX, of networks, pictures, language models and policies, runs
    without descend.

    A model of a table has an input for each column. It is compared in onnxruntime on rows of the table that it was
    trained on, if that is still where it was, and on drawn ones with gaps and unknown levels. A language model is
    written in Hugging Face's layout, and compared where transformers and PyTorch are installed.
    """
    from descend.tasks.loading import is_in_blocks, load_model

    console = Console(quiet=quiet)
    if is_in_blocks(run):
        raise InputError(f"{run} has a model of a table larger than memory, whose words are hashed, and which is not "
                         "exported: use it by descend predict, or in Python, by descend.load_model")
    model = load_model(run)
    if output.suffix == SUFFIX:
        if not hasattr(model, "to_jax"):
            raise InputError(f"{run} has no model that is written for JAX, as networks, pictures' models, language "
                             "models and policies are: use it in Python, by descend.load_model")
        model.to_jax(output)
        say(console, f"{output}: agrees with {run} to 1e-5 on what was drawn, as JAX reads it back")
        return
    if hasattr(model, "to_huggingface"):
        told = f"agrees with {run} to 1e-5 on drawn tokens, as transformers loads it"
        say(console, f"{output}: {told if model.to_huggingface(output) else UNCOMPARED}")
        return
    if output.suffix == ".safetensors":
        if not hasattr(model, "save_weights"):
            raise InputError(f"{run} has no network of pictures alone, whose weights could be written: give a name "
                             "that ends with .onnx")
        model.save_weights(output)
        say(console, f"{output}: the weights of {run} by torchvision's names")
        return
    if not hasattr(model, "to_onnx"):
        raise InputError(f"{run} has a model of another kind than those of tables, pictures and language, which are "
                         "exported: use it in Python, by descend.load_model")
    rows = _rows_of(run, model) if hasattr(model, "columns_") else None
    # Of a table, there are rows to look at.
    model.to_onnx(output, *([] if rows is None else [rows]))
    say(console, f"{output}: agrees with {run} to 1e-5 on rows that were drawn"
                 f"{'' if rows is None else ', and on those of its table'}")


def _rows_of(run: Path, model: Any) -> "pd.DataFrame | None":
    """The rows that a run was trained on, if they are still there, as they were."""
    from descend.tasks.begun import digest_of, source_of
    from descend.tasks.common.reading import read_table

    try:
        source = source_of(run)
        table = None if source is None else read_table(source, model.model_.encoder.as_written)
        return table.frame if table is not None and table.digest == digest_of(run) else None
    except DescendError:
        return None
