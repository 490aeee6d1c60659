"""Rows of a table larger than memory as examples, which are read a window at a time."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from math import prod
from mmap import mmap
from typing import Any

import jax
import numpy as np

from descend.errors import InputError
from descend.neural._block_survey import BlockSurvey, checksum
from descend.neural._objective import Examples
from descend.sources import WindowedBatches

# Of a window; two of them are in memory, one of which is being read.
WINDOW_BYTES = 2**26
# Of a window at the least, where blocks allow it: rows of a part come from one place in the files.
PARTS_OF_WINDOW = 4

# What targets are as a network learns from them, and their weights.
Encode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


class BlockRows:
    """The examples of a table in parts: blocks that follow each other in a shard, less the rows that are held out."""

    def __init__(self, found: BlockSurvey, held_out: np.ndarray, encode: Encode) -> None:
        self._found, self._held_out, self._encode = found, held_out, encode
        # The number of the first row of each block, and how many there are.
        self._starts = np.cumsum([0, *(block.rows for block in found.blocks)])
        # Besides the inputs, targets and weights.
        self.window = max(1, WINDOW_BYTES // (found.rows.row_bytes + 16))
        self._parts = [part for _, blocks in groupby(range(len(found.blocks)), lambda i: found.blocks[i].shard)
                       for part in self._divided(list(blocks))]

    def source(self, batch_size: int) -> WindowedBatches:
        """Batches of them."""
        sizes = list(map(self._size, self._parts))
        return WindowedBatches(sizes, self.read, batch_size, self.window, f"{self._found.seen:08x}")

    def __len__(self) -> int:
        return int(self._starts[-1]) - len(self._held_out)

    def read(self, chosen: Sequence[int]) -> Examples:
        """The examples of some parts, one after the other."""
        total, done = sum(self._size(self._parts[i]) for i in chosen), 0
        whole: Any = None
        for block in (block for i in chosen for block in self._examples(self._parts[i])):
            if whole is None:
                # At once as long as a window, as parts that were joined would be there twice.
                whole = jax.tree.map(lambda array: _pages((total, *array.shape[1:]), array.dtype), block)
            count = len(block[1])
            for to, part in zip(jax.tree.leaves(whole), jax.tree.leaves(block), strict=True):
                to[done : done + count] = part
            done += count
        return whole

    def _divided(self, blocks: list[int]) -> Iterator[range]:
        """The blocks of a shard in parts, each as large as it may be."""
        begin, rows = blocks[0], 0
        for i in blocks:
            if i > begin and rows + self._found.blocks[i].rows > self.window // PARTS_OF_WINDOW:
                yield range(begin, i)
                begin, rows = i, 0
            rows += self._found.blocks[i].rows
        yield range(begin, blocks[-1] + 1)

    def _size(self, part: range) -> int:
        """The rows of a part that are learnt from."""
        ends = self._starts[[part.start, part.stop]]
        return int(np.diff(ends)[0] - np.diff(np.searchsorted(self._held_out, ends))[0])

    def _examples(self, part: range) -> Iterator[Examples]:
        """Those of each block of a part."""
        blocks = self._found.blocks
        shard = self._found.shards[blocks[part.start].shard]
        first = blocks[part.start].number
        read = shard.between(first, first + len(part))
        for i in part:
            block = next(read, None)
            if block is None or checksum(*block) != blocks[i].seen:
                raise InputError(f"{shard.told} is not what it was when the fit began: leave files alone while they "
                                 "are read")
            X, y = block
            low, high = np.searchsorted(self._held_out, self._starts[i : i + 2])
            left = np.delete(np.arange(len(y)), self._held_out[low:high] - self._starts[i])
            yield self._found.rows.of(X[left] if low < high else X), *self._encode(y[left])


def _pages(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array in memory pages of its own.

    These go back to the system at once. Among the many small arrays that are made while a window is read, it would
    leave holes: a process then has more memory the more windows it has read.
    """
    count = prod(shape)
    return np.frombuffer(mmap(-1, max(count * dtype.itemsize, 1)), dtype, count).reshape(shape)
