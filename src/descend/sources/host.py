"""Sources that cannot be traced: data larger than memory, files, any iterable of batches.

A host source has the same two verbs as any other, but `draw` is plain Python on NumPy arrays. It is called between
dispatches, a number of batches ahead; its cursor is a pytree of NumPy scalars that a checkpoint can hold.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import as_numpy, is_array
from descend._tree import Tree, is_plain_list, named_leaves
from descend.errors import InputError
from descend.schedules import setting
from descend.sources._base import Batch, Cursor, Feed, as_data
from descend.sources.batches import Place, check_batch_size, first_place, next_examples, place_after

AHEAD_BYTES = 32 * 2**20
AHEAD_BATCHES = 256
# Numbers of an array that go into a checksum.
MAX_CHECKED = 256


@runtime_checkable
class HostSource(Protocol):
    """A source whose batches are drawn by plain Python, between dispatches.

    Batches are drawn ahead, all of a dispatch with the parameters before it. A source that looks at the parameters has
    `looks(cursor)`: whether the draw at a cursor does; a dispatch then ends before it. One that has `ahead` draws that
    many without looking, at the most.
    """

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
        return first_place(key)

    def draw(self, cursor: Place, params: Tree) -> tuple[Batch, Place]:
        """The next examples, read from where they are."""
        index = next_examples(cursor, self.batch_size, self._length, self.shuffle)
        batch = jax.tree.map(lambda array: array[index], self.data)
        return batch, place_after(cursor, self.batch_size, self._length)

    @property
    def steps_per_epoch(self) -> float:
        """The number of examples divided by the batch size."""
        return self._length / self.batch_size


class Turn(NamedTuple):
    """Where in its epochs an iterable is; `seen`: a checksum of what it gave in this one."""

    epoch: Any
    position: Any
    seen: Any


class IterableBatches:
    """Any iterable of batches: `open(epoch)` begins an epoch, a data loader's or a generator's.

    To resume in the middle of an epoch, `open` must give the same batches for the same epoch; those that were seen
    are drawn again and thrown away. The last batch of an epoch may be smaller than the others.

    **Raises** `InputError` for an iterable that gives no batch, what is no number, or other batches than before.
    """

    on_host = True

    def __init__(self, open: Callable[[int], Iterable[Batch]], steps_per_epoch: float | None = None):
        self._open = open
        self.steps_per_epoch = steps_per_epoch
        self._live: Iterator[Batch] = iter(())
        # The number of the batch that `_live` gives next.
        self._next: tuple[int, int] | None = None
        # The last draw, which may be asked for again.
        self._last: tuple[tuple[int, int], Batch, Turn] | None = None

    def init(self, key: jax.Array) -> Turn:
        """The beginning of the first epoch."""
        return _begin(0)

    def draw(self, cursor: Turn, params: Tree) -> tuple[Batch, Turn]:
        """The next batch, from the open iterator if that stands at the cursor."""
        epoch, position = asked = int(cursor.epoch), int(cursor.position)
        if self._last is not None and self._last[0] == asked:
            return self._last[1:]
        if self._next != asked:
            self._seek(cursor)
        batch = self._given(epoch, position)
        if batch is None:
            if position == 0:
                raise InputError(f"the iterable gave no batch in epoch {epoch}: does it start again for each epoch?")
            drawn = self.draw(_begin(epoch + 1), params)
        else:
            self._next = (epoch, position + 1)
            drawn = batch, Turn(np.int64(epoch), np.int64(position + 1), _with(cursor.seen, batch))
        self._last = (asked, *drawn)
        return drawn

    def _given(self, epoch: int, position: int) -> Batch | None:
        """What the open iterator gives next, as NumPy's arrays; `None` at its end."""
        batch = next(self._live, None)
        return None if batch is None else _as_batch(batch)

    def _seek(self, cursor: Turn) -> None:
        epoch, position = int(cursor.epoch), int(cursor.position)
        self._live, self._next = iter(self._open(epoch)), (epoch, position)
        checksum = _begin(epoch).seen
        for seen in range(position):
            batch = self._given(epoch, seen)
            if batch is None:
                raise InputError(f"epoch {epoch} gave {seen} batches, but {position} were drawn from it before")
            checksum = _with(checksum, batch)
        if checksum != cursor.seen:
            raise InputError(f"epoch {epoch} began with other batches before: to go on in the middle of an epoch, its "
                             "order must depend on nothing but its number (see IterableBatches)")


def _begin(epoch: int) -> Turn:
    """The beginning of an epoch."""
    return Turn(np.int64(epoch), np.int64(0), np.uint32(0))


def _as_batch(batch: Any) -> Batch:
    """A batch as NumPy's arrays."""
    arrays = jax.tree.map(np.asarray, batch, is_leaf=is_plain_list)
    for name, array in named_leaves(arrays).items():
        if not (array.dtype == bool or jnp.issubdtype(array.dtype, jnp.number)):
            raise InputError(f"a batch must be arrays of numbers, but '{name}' has dtype {array.dtype}")
    return arrays


def _with(checksum: int | np.integer | np.ndarray, batch: Batch) -> np.uint32:
    """The checksum with some numbers of every array in the batch: enough to tell another order."""
    for array in filter(is_array, jax.tree.leaves(batch)):
        flat = as_numpy(array).reshape(-1)
        checksum = crc32(flat[:: max(1, flat.size // MAX_CHECKED)].tobytes(), int(checksum))
    return np.uint32(checksum)


@setting
class Drawn:
    """Batches that a host source has drawn, as the draws themselves: what its steps are compiled with in its place."""

    def init(self, key: jax.Array) -> Cursor:
        """Where a source stands that is drawn from by the host, is the host's."""
        return ()

    def feed(self, cursor: Cursor, params: Tree, most: int) -> Feed:
        """Nothing of its own: see `draw_ahead`."""
        raise NotImplementedError

    def batch(self, draw: Batch) -> Batch:
        """The batch itself."""
        return draw


def draw_ahead(source: HostSource, cursor: Cursor, params: Tree, wanted: int) -> Feed:
    """Up to `wanted` batches of one shape, stacked.

    The stack is always as long as memory for it allows, so that dispatches of different lengths share a program. It
    ends where the source has to look at parameters that are not there yet.
    """
    batch, after = source.draw(cursor, params)
    leaves = jax.tree.leaves(batch)
    kind = _kind(batch)
    looks = getattr(source, "looks", lambda _: False)
    most = min(AHEAD_BATCHES, getattr(source, "ahead", AHEAD_BATCHES))
    room = max(1, min(most, AHEAD_BYTES // max(sum(leaf.nbytes for leaf in leaves), 1)))
    stacks = [np.zeros((room, *leaf.shape), leaf.dtype) for leaf in leaves]
    cursors = [cursor]
    # Of one shape alone: an epoch's smaller last batch is for another program, and begins the next stack.
    while _kind(batch) == kind:
        for stack, leaf in zip(stacks, jax.tree.leaves(batch), strict=True):
            # Copied at once, because whoever made it may use its memory for the next.
            stack[len(cursors) - 1] = leaf
        cursors.append(after)
        if len(cursors) > min(wanted, room) or looks(after):
            break
        batch, after = source.draw(after, params)
    return Feed(jax.tree.unflatten(kind[0], stacks), len(cursors) - 1, cursors.__getitem__)


def _kind(batch: Batch) -> tuple[Any, list[Any]]:
    """What the batches of one stack have in common."""
    leaves, treedef = jax.tree.flatten(batch)
    return treedef, [(leaf.shape, leaf.dtype) for leaf in leaves]
