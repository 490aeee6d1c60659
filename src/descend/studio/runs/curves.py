"""Curves of a run: out of its history, or while it has none, out of its checkpoints."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from descend.engine.storing import read_part
from descend.errors import CheckpointError, InputError
from descend.studio.runs.folders import checkpoints

# Points of a curve: a history has at most as many rows, but of several seeds.
MAX_ROWS_SHOWN = 2_000_000


def curves(folder: Path) -> dict[str, np.ndarray]:
    """What was recorded of a run, by name: rows of a step and a value. Where the steps begin anew, so does the line:
    a run may have several models, or seeds.

    **Raises** `InputError` for what is damaged.
    """
    parts = list(_recorded(folder))
    names = dict.fromkeys(name for part in parts for name in part)
    joined = {name: np.concatenate([part[name] for part in parts if name in part]) for name in names}
    return {name: points[:MAX_ROWS_SHOWN] for name, points in joined.items() if len(points)}


def _recorded(folder: Path) -> Iterator[dict[str, np.ndarray]]:
    """A part for each model, or seed."""
    file = folder / "history.parquet"
    if file.exists():
        yield from _of_table(file)
        return
    for checkpoint in checkpoints(folder):
        try:
            arrays, _ = read_part(checkpoint, "history/")
        except CheckpointError as error:
            raise InputError(str(error)) from None
        yield of_arrays({name.removeprefix("history/"): array for name, array in arrays.items()})


def _of_table(file: Path) -> Iterator[dict[str, np.ndarray]]:
    # Its import takes a tenth of a second, which a race need not wait for.
    from pyarrow import parquet
    from pyarrow.lib import ArrowException

    try:
        table = parquet.read_table(file, memory_map=False)
        numbers = [name for name in table.column_names if _is_number(table.schema.field(name).type)]
        columns = {name: table.column(name).to_numpy().astype(np.float64) for name in numbers}
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{file.name} is damaged ({' '.join(str(error).split())[:200]})") from None
    yield _of_columns(columns, columns.pop("step", np.zeros(0)))


def _is_number(kind: object) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind))


def of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A checkpoint's history: what was recorded at each step, and what was validated between steps."""
    made: dict[str, np.ndarray] = {}
    for kind, prefix, shift in (("step", "", 0), ("validation", "validation_", 1)):
        of_kind = {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{kind}/")}
        columns = {f"{prefix}{name}": array for name, array in of_kind.items() if name != "step"}
        # After 10 steps, the last one made is number 9: as the table of a history has it.
        made |= _of_columns(columns, of_kind.get("step", np.zeros(0)) - shift)
    return made


def _of_columns(columns: Mapping[str, np.ndarray], steps: np.ndarray) -> dict[str, np.ndarray]:
    """The columns that go with the steps and have a number, each without the rows where it has none."""
    fitting = {name: column for name, column in columns.items() if column.shape == steps.shape and name != "seed"}
    rows = {name: np.column_stack([steps, column])[~np.isnan(column.astype(np.float64))]
            for name, column in fitting.items()}
    with np.errstate(over="ignore"):
        return {name: found.astype(np.float32) for name, found in rows.items()}
