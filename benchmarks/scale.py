"""Work that is shared: a descent among processes, and a linear model's passes among Dask's workers.

Two processes, each of which may use both cores, make the steps of one process, on the same batches. By the model, a
step takes what half of the batch takes on one core, and what it takes to add up as many numbers as there are
parameters; XLA adds up each array by itself, and waits each time. Processes meet over gloo, as `jax.distributed` has
them. Dask's workers have the partitions of a folder of Parquet files; "most memory" is the largest worker's, at its
height.
"""

from collections.abc import Iterator

from benchmarks import _scale_dask, _scale_processes
from benchmarks._rows import Row

PACKAGES = ("descend", "jax", "numpy", "dask", "distributed")


def rows() -> Iterator[Row]:
    """Processes first."""
    yield from _scale_processes.rows()
    yield from _scale_dask.rows()
