"""A function of JAX as a file, which JAX runs without `descend`: StableHLO, by `jax.export`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from descend._agreement import distance, refuse_if_apart
from descend._files import write_atomically
from descend.errors import InputError

SUFFIX = ".jax"
# What the file runs on, wherever it was written.
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def write_jax(
    function: Callable[[Any], Any], path: str | Path, rows: np.ndarray, expected: np.ndarray,
    shape: str = "rows", constraints: tuple[str, ...] = (),
) -> None:
    """Write a function of an array to a file, if what is read back gives of these rows what is expected.

    `shape`: names of the first axes, whose lengths stay open within `constraints`. The function may calculate in double
    precision; what it gives comes in single.

    **Raises** `InputError` if it does not agree, or cannot be written: then no file is written or changed.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise InputError(f"cannot tell what to write to {path}: end its name with {SUFFIX}")
    open_axes = jax.export.symbolic_shape(shape, constraints=constraints)
    given = jax.ShapeDtypeStruct((*open_axes, *rows.shape[len(open_axes):]), rows.dtype)
    with jax.enable_x64(True), _told_of_tracing():
        made = jax.export.export(jax.jit(lambda x: _single(function(x))), platforms=PLATFORMS)(given)
    content = bytes(made.serialize())
    found = np.asarray(jax.export.deserialize(bytearray(content)).call(rows))
    refuse_if_apart(distance(found, expected))
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


@contextmanager
def _told_of_tracing() -> Iterator[None]:
    """A network of one's own may do what cannot be told in advance of any number of rows."""
    try:
        yield
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the model is not one program for any number of rows: {reason}") from error


def _single(outputs: Any) -> Any:
    """As JAX has numbers unless it is told to have them in double precision."""
    return outputs.astype(np.float32 if np.issubdtype(outputs.dtype, np.floating) else np.int32)
