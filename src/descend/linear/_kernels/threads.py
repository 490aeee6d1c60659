"""Work on parts of the rows side by side: compiled kernels that let go of the interpreter's lock, on many threads.

The parts depend on the data alone, never on the number of threads, and what they give is added up in their order: the
result is the same, bit for bit, on one core and on many.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from threadpoolctl import ThreadpoolController

# Numbers of a matrix that one call goes over: some hundred microseconds of work.
PART_ENTRIES = 2**18
PARTS_LIMIT = 256


_here = threading.local()


@cache
def _pool() -> ThreadPoolExecutor:
    begin = lambda: setattr(_here, "in_pool", True)
    return ThreadPoolExecutor(numba.get_num_threads(), thread_name_prefix="descend.linear", initializer=begin)


if hasattr(os, "register_at_fork"):
    # Threads do not follow into a child.
    os.register_at_fork(after_in_child=_pool.cache_clear)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread_each() -> Any:
    """A context in which products of matrices take one thread, as several are made side by side."""
    return _libraries().limit(limits=1, user_api="blas")


@contextmanager
def in_this_thread() -> Iterator[None]:
    """A context in which this thread does the parts itself, as others go through other rows."""
    before, _here.in_pool = getattr(_here, "in_pool", False), True
    try:
        yield
    finally:
        _here.in_pool = before


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Σ ab of two numbers by row.

    Not by BLAS: beyond some thousand numbers it adds them up by threads, and rounds by how many there are.
    """
    return float(np.sum(a * b))


def parts(rows: int, numbers: int) -> list[tuple[int, int]]:
    """Ranges of rows of a matrix that holds so many numbers."""
    count = max(1, min(PARTS_LIMIT, rows, numbers // PART_ENTRIES))
    bounds = [rows * i // count for i in range(count + 1)]
    return list(pairwise(bounds))


def each(work: Callable[..., Any], ranges: Sequence[tuple[int, int]]) -> list[Any]:
    """What `work(start, stop)` gives for each range, in order."""
    # A thread that waits for others of its pool may for ever.
    if len(ranges) == 1 or getattr(_here, "in_pool", False):
        return [work(*bounds) for bounds in ranges]
    return list(_pool().map(lambda bounds: work(*bounds), ranges))


def total(results: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The sums of what the parts gave, entry by entry."""
    return tuple(_sum(entries) for entries in zip(*results, strict=True))


def _sum(entries: Sequence[Any]) -> Any:
    """One after the other, as to stack them would take as much memory again."""
    out = np.array(entries[0], np.float64)
    for entry in entries[1:]:
        out += entry
    return out[()]
