"""From what people give as data to a source of batches."""

from operator import index
from typing import Any

import jax
import numpy as np

from descend._division import Division, automatic
from descend._tree import Tree
from descend.errors import InputError
from descend.sources._base import Empty, Fed, Source, WholeSet, as_data
from descend.sources.batches import MiniBatches, mini_batches
from descend.sources.global_batches import GlobalBatches
from descend.sources.host import HostArrays, HostSource
from descend.sources.loaders import batches_of, is_loader

DEFAULT_BATCH_SIZE = 64


def source_of(data: Any, batch_size: int | None) -> Source | HostSource | Fed:
    """Where the batches come from, with its arrays where the steps are made.

    **Raises** `InputError` for data that are none, and for a batch size that they have no use for.
    """
    if data is None:
        if batch_size is not None:
            raise InputError("batch_size is given, but no data")
        return Empty()
    if batch_size is not None and (isinstance(data, Source | HostSource | Fed) or is_loader(data)):
        raise InputError(f"batch_size is given, but the batches come from {type(data).__name__}, which has its own")
    if isinstance(data, Source | HostSource | Fed):
        if isinstance(data, MiniBatches):
            data = mini_batches(data.data, data.batch_size, data.shuffle, data.division)
        return on_device(data)
    if is_loader(data):
        return batches_of(data)
    arrays, length = as_data(data)
    size = _usual_size(arrays, length) if batch_size is None else index(batch_size)
    if any(isinstance(array, np.memmap) for array in jax.tree.leaves(arrays)):
        return HostArrays(arrays, size)
    return on_device(WholeSet(arrays) if size == length else mini_batches(arrays, size))


def on_device(tree: Tree) -> Tree:
    """The tree with its arrays where the steps are made, so that no dispatch brings them there again.

    As copies, because whoever gave them may change them: on a CPU, JAX would share their memory where it can.
    """
    there = jax.tree.map(lambda leaf: jax.device_put(leaf.copy()) if isinstance(leaf, np.ndarray) else leaf, tree)
    return automatic(there)


def among(division: Division | None, source: Any) -> Any:
    """The source with its arrays on the mesh of a division: whole on each device, if it is not that of their rows."""
    if division is None or division.axes or isinstance(source, HostSource):
        return source
    there = lambda leaf: jax.device_put(leaf, division.everywhere) if isinstance(leaf, jax.Array) else leaf
    return jax.tree.map(there, source)


def division_of(data: Tree) -> Division | None:
    """Among which devices the rows of data, or of a source's batches, are divided, if they are."""
    known = isinstance(data, GlobalBatches | MiniBatches) and data.division
    return known or Division.of(data)


def _usual_size(data: Tree, length: int) -> int:
    """The size of a batch where none is given, which devices can have equal parts of."""
    size, division = min(DEFAULT_BATCH_SIZE, length), Division.of(data)
    return size if division is None else division.usual_size(size)
