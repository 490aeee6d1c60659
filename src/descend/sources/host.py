"""Sources that cannot be traced: data larger than memory, files, any iterable of batches.

A host source has the same two verbs as any other, but `draw` is plain Python on NumPy arrays. It is called between
dispatches, a number of batches ahead; its cursor is a pytree of NumPy scalars that a checkpoint can hold.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from descend._tree import Tree
from descend.errors import InputError
from descend.schedules import setting
from descend.sources._base import Batch, Cursor, as_data
from descend.sources.batches import Place, check_batch_size, first_place, next_examples, place_after

AHEAD_BYTES = 32 * 2**20
AHEAD_BATCHES = 256


@runtime_checkable
class HostSource(Protocol):
    """A source whose batches are drawn by plain Python, between dispatches."""

    on_host: bool

    def init(self, key: jax.Array) -> Cursor:
        """The cursor before the first batch: NumPy scalars, from a random key."""

    def draw(self, cursor: Cursor, params: Tree) -> tuple[Batch, Cursor]:
        """The batch at `cursor`, always the same one, and the cursor after it."""

class HostArrays:
    """Mini-batches of arrays that stay where they are, for instance on disk (`numpy.memmap`).

    The same batches in the same order as `MiniBatches` of the same data.
    """

    on_host = True

    def __init__(self, data: Any, batch_size: int, shuffle: bool = True):
        self.data, self._length = as_data(data)
        check_batch_size(batch_size, self._length)
        self.batch_size, self.shuffle = batch_size, shuffle

    def init(self, key: jax.Array) -> Place:
        """The beginning of the first epoch."""
        return jax.tree.map(np.asarray, first_place(key))

    def draw(self, cursor: Place, params: Tree) -> tuple[Batch, Place]:
        """The next examples, read from where they are."""
        with np.errstate(over="ignore"):  # the shuffle's hash counts modulo 2³²
            index = next_examples(cursor, self.batch_size, self._length, self.shuffle)
        batch = jax.tree.map(lambda array: array[index], self.data)
        return batch, place_after(cursor, self.batch_size, self._length)

    @property
    def steps_per_epoch(self) -> float:
        """The number of examples divided by the batch size."""
        return self._length / self.batch_size


class Turn(NamedTuple):
    """Where in its epochs an iterable is."""

    epoch: Any
    position: Any


class IterableBatches:
    """Any iterable of batches: `open(epoch)` begins an epoch, a data loader's or a generator's.

    To resume in the middle of an epoch, `open` must give the same batches for the same epoch; those that were seen
    are drawn again and thrown away. The last batch of an epoch may be smaller than the others.
    """

    on_host = True

    def __init__(self, open: Callable[[int], Iterable[Batch]], steps_per_epoch: float | None = None):
        self._open = open
        self.steps_per_epoch = steps_per_epoch
        self._live: Iterator[Batch] = iter(())
        self._next: tuple[int, int] | None = None  # the number of the batch that `_live` gives next
        self._last: tuple[tuple[int, int], Batch, Turn] | None = None  # the last draw: it may be asked for again

    def init(self, key: jax.Array) -> Turn:
        """The beginning of the first epoch."""
        return Turn(np.zeros((), np.int64), np.zeros((), np.int64))

    def draw(self, cursor: Turn, params: Tree) -> tuple[Batch, Turn]:
        """The next batch, from the open iterator if that stands at the cursor."""
        epoch, position = asked = int(cursor.epoch), int(cursor.position)
        if self._last is not None and self._last[0] == asked:
            return self._last[1:]
        if self._next != (epoch, position):
            self._seek(epoch, position)
        batch = next(self._live, None)
        if batch is None:
            if position == 0:
                raise InputError(f"the iterable gave no batch in epoch {epoch}: does it start again for each epoch?")
            drawn = self.draw(Turn(np.int64(epoch + 1), np.int64(0)), params)
        else:
            self._next = (epoch, position + 1)
            drawn = jax.tree.map(np.asarray, batch), Turn(np.int64(epoch), np.int64(position + 1))
        self._last = (asked, *drawn)
        return drawn

    def _seek(self, epoch: int, position: int) -> None:
        self._live, self._next = iter(self._open(epoch)), (epoch, position)
        for seen in range(position):
            if next(self._live, None) is None:
                raise InputError(f"epoch {epoch} gave {seen} batches, but {position} were drawn from it before")


@setting
class Drawn:
    """Batches that a host source has drawn, stacked, as a source for the steps of one dispatch."""

    stack: Batch

    def init(self, key: jax.Array) -> jax.Array:
        """The first of them."""
        return jnp.zeros((), jnp.int32)

    def draw(self, cursor: jax.Array, params: Tree) -> tuple[Batch, jax.Array]:
        """The next of them."""
        return jax.tree.map(lambda array: jax.lax.dynamic_index_in_dim(array, cursor, keepdims=False), self.stack), (
            cursor + 1
        )


def draw_ahead(source: HostSource, cursor: Cursor, params: Tree, wanted: int) -> tuple[Batch, list[Cursor]]:
    """Up to `wanted` batches of one shape, stacked, and the cursors before, between and after them.

    The stack is always as long as memory for it allows, so that dispatches of different lengths share a program.
    """
    drawn: list[list[np.ndarray]] = []
    cursors = [cursor]
    room = 1
    treedef: Any = None
    while len(drawn) < min(wanted, room):
        batch, after = source.draw(cursors[-1], params)
        leaves, treedef = jax.tree.flatten(batch)
        if drawn and [(x.shape, x.dtype) for x in leaves] != [(x.shape, x.dtype) for x in drawn[0]]:
            break
        if not drawn:
            room = max(1, min(AHEAD_BATCHES, AHEAD_BYTES // max(sum(leaf.nbytes for leaf in leaves), 1)))
        drawn.append(leaves)
        cursors.append(after)
    stacks = []
    for column in zip(*drawn, strict=True):
        stack = np.zeros((room, *column[0].shape), column[0].dtype)
        for row, leaf in enumerate(column):
            stack[row] = leaf
        stacks.append(stack)
    return treedef.unflatten(stacks), cursors
