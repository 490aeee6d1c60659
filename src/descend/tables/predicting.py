"""Predictions for a table, beside its own columns."""

from pathlib import Path

import pandas as pd

from descend.errors import InputError
from descend.tables.training import Model

WRITERS = {".csv": ",", ".tsv": "\t", ".parquet": "", ".feather": ""}


def predict_frame(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `prediction`, and for classes a column `probability of …` for each.

    **Raises** `InputError` if the table lacks columns, by name, or holds what the model cannot read.
    """
    values = model.predict(model.encoder.transform(frame))
    if model.task.kind == "regression":
        return frame.assign(prediction=values)
    chances = {f"probability of {name}": values[:, i] for i, name in enumerate(model.task.classes)}
    return frame.assign(prediction=model.task.decode(values.argmax(axis=1)), **chances)


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix does not say what to write, before there is anything to lose."""
    if path.suffix not in WRITERS:
        raise InputError(f"cannot tell what to write to {path}: end its name with {', '.join(WRITERS)}")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table in the format of the file's suffix, all of it or nothing.

    **Raises** `InputError` if the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            frame.to_parquet(part, index=False)
        elif path.suffix == ".feather":
            frame.to_feather(part)
        else:
            frame.to_csv(part, sep=WRITERS[path.suffix], index=False)
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
