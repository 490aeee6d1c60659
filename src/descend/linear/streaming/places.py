"""Where partitions are gone through: in this process, or by the workers of a Dask cluster."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from descend._blocks.files import Blocks
from descend._blocks.shards import is_dask
from descend.errors import InputError
from descend.linear.streaming.rows import source_of_rows
from descend.linear.streaming.source import Each, RowSource, source_of_blocks


@contextmanager
def row_source(X: Any, y: Any, on: Any) -> Iterator[RowSource]:
    """The rows of `Blocks`, or of Dask's collections, which are gone through where `on` says."""
    with _place(on, X) as each:
        yield source_of_blocks(X, each) if isinstance(X, Blocks) else source_of_rows(X, y, each)


@contextmanager
def _place(on: Any, X: Any) -> Iterator[Each]:
    """Where it is; of Dask's collections, where Dask itself would go, if nothing is said."""
    if on is None and (is_dask(X) or is_dask(getattr(X, "path", None))):
        on = _current_client()
    if on is None:
        yield map
        return
    try:
        # An extra.
        from descend.linear.streaming.cluster import cluster
    except ModuleNotFoundError as error:
        raise InputError(f"on= needs {error.name}, which is not installed: pip install 'descend[dask]'") from None
    with cluster(on) as workers:
        yield workers.each


def _current_client() -> Any:
    """The client that was made last, if there is one."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        return None
