"""Rows in partitions, each of which is gone through by itself; and where that is done.

A pass is a sum over partitions, in their order. It does not matter who goes through which, or how often one is begun
anew: the result has the same bits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from descend._blocks.files import Blocks
from descend._blocks.shards import read_ahead
from descend.errors import InputError
from descend.linear.problems.matrix import NO_OFFSET, Array

# Features, targets and offsets of rows; no offsets, where there are none.
Part = tuple[Any, Array, Array]
# What is made of each partition, in their order. The simplest is `map`.
Each = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


@dataclass(frozen=True)
class RowSource:
    """Rows in partitions. `told`: what they are called in messages, as is the `target`; `width`: columns they have.

    Each of `partitions` gives blocks of features (dense, or sparse and hashed), targets, and offsets, if there are
    such, as often as it is iterated. `each` is where they are gone through. `names`: of the columns, if they have
    some. `offset`: the name of that column, if there is one.
    """

    told: str
    target: str
    width: int
    partitions: Sequence[Any]
    each: Each = map
    names: Array | None = None
    offset: str | None = None


def source_of_blocks(blocks: Blocks, each: Each = map) -> RowSource:
    """The rows of files."""
    if blocks.target is None:
        raise InputError("the blocks have no target: a fit needs Blocks(path, target)")
    target = f"the target {blocks.target!r}"
    return RowSource(blocks.told, target, blocks.hashed, blocks.shards(), each, offset=blocks.offset)


def prefetched(partition: Iterable[Any]) -> Iterator[Part]:
    """The blocks, each read while the one before is worked on."""
    return read_ahead(block if len(block) == 3 else (*block, NO_OFFSET) for block in partition)


