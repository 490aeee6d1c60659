"""Mini-batches of data in memory; single examples are batches of one."""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from descend._arrays import Array, namespace
from descend._division import Division, automatic
from descend._shuffle import permuted, round_keys, seed_of
from descend._tree import Tree
from descend.errors import InputError
from descend.schedules import fixed, setting
from descend.sources._base import Batch, Feed, as_data

# The most examples, and the most steps, that a dispatch is given the numbers of.
MAX_FED_EXAMPLES, MAX_FED_STEPS = 2**18, 2**14
# Examples at a time: numbered on the host, and gathered by a kernel.
PART_SIZE, GATHER_SIZE = 2**14, 64


class Place(NamedTuple):
    """Where in the stream of epochs a source of batches is."""

    seed: Any
    epoch: Any
    position: Any


@setting
class MiniBatches:
    """Batches of `batch_size` examples, shuffled anew in every epoch from (seed, epoch).

    The epochs follow each other without a seam: a batch that begins at the end of one is filled up from the next, so
    all batches have the same size, every example is seen exactly once in each epoch, and none is dropped.

    `data`: a pytree of arrays with a common first axis, the examples. `batch_size`: 1 is stochastic gradient descent.
    `shuffle`: off, for data whose order is random already or must be kept. `division`: among which devices batches are
    divided, if they are. It is found out from data whose rows lie divided; data that are whole on each need it.

    **Raises** `InputError` for a batch size that is not between 1 and the number of examples.

    >>> import jax, numpy as np
    >>> source = MiniBatches(np.arange(5), batch_size=2, shuffle=False)
    >>> batch, cursor = source.draw(source.init(jax.random.key(0)), params=None)
    >>> batch.tolist(), source.steps_per_epoch
    ([0, 1], 2.5)
    """

    data: Batch
    batch_size: int = fixed()
    shuffle: bool = fixed(default=True)
    division: Division | None = fixed(default=None)

    def init(self, key: jax.Array) -> Place:
        """The beginning of the first epoch."""
        return first_place(key)

    def draw(self, cursor: Place, params: Tree) -> tuple[Batch, Place]:
        """The next examples, gathered from the data."""
        index = next_examples(cursor, self.batch_size, self._length, self.shuffle)
        return self.batch(index), place_after(cursor, self.batch_size, self._length)

    def feed(self, cursor: Place, params: Tree, most: int) -> Feed:
        """The numbers of the examples in the next draws."""
        size, length = self.batch_size, self._length
        room = max(1, min(MAX_FED_STEPS, MAX_FED_EXAMPLES // size))
        count = min(most, room)
        # As long as there is room, however few were asked for: one shape is one program.
        draws = np.zeros((room, size), np.uint32)
        draws[:count] = next_examples(cursor, count * size, length, self.shuffle).reshape(count, size)
        return Feed(draws, count, lambda made: place_after(cursor, made * size, length))

    def batch(self, draw: Tree) -> Batch:
        """The examples with these numbers."""
        if self.division is None:
            return jax.tree.map(lambda array: rows(jnp.asarray(array), draw), self.data)
        # All at once, because each part would wait for other devices. A device gives of these rows those that lie with
        # it, and their sum is the batch.
        batch = jax.tree.map(lambda array: _all_rows(array, draw), self.data)
        return jax.lax.with_sharding_constraint(batch, self.division.everywhere)

    @property
    def steps_per_epoch(self) -> float:
        """The number of examples divided by the batch size."""
        return self._length / self.batch_size

    @property
    def _length(self) -> int:
        return int(jax.tree.leaves(self.data)[0].shape[0])


def mini_batches(
    data: Any, batch_size: int, shuffle: bool = True, division: Division | None = None
) -> MiniBatches:
    """Checked mini-batches of `data`; `division`: among which devices they are to be divided, where the data are whole
    on each."""
    data, length = as_data(data)
    check_batch_size(batch_size, length)
    by_rows = Division.of(data)
    if (found := by_rows or division) is None:
        return MiniBatches(data, batch_size, shuffle)
    found.check_batch_size(batch_size)
    # As a copy, because whoever gave them may change them.
    placed = automatic(data) if by_rows else found.placed(jax.tree.map(np.array, data))
    return MiniBatches(placed, batch_size, shuffle, found)


def check_batch_size(batch_size: int, length: int) -> None:
    """Refuse a batch that the data cannot fill."""
    if not 1 <= batch_size <= length:
        raise InputError(f"batch_size must be between 1 and the {length} examples there are, but is {batch_size}")


def first_place(key: jax.Array) -> Place:
    """The beginning of the first epoch, with a seed made from `key`; in NumPy, unless the key is being traced."""
    words = jax.random.key_data(key)
    # The hash counts modulo 2³².
    with np.errstate(over="ignore"):
        seed = seed_of(words if isinstance(words, jax.core.Tracer) else np.asarray(words))
    zero = namespace(seed).zeros((), dtype=np.uint32)
    return Place(seed, zero, zero)


def next_examples(place: Place, count: int, length: int, shuffle: bool) -> Any:
    """The numbers of the next `count` examples of data with `length`, across epochs."""
    if namespace(place.position) is np:
        return _next_on_host(int(place.seed), int(place.epoch), int(place.position), count, length, shuffle)
    position = place.position + jnp.arange(count, dtype=jnp.uint32)
    later = position // jnp.uint32(length)  # epochs
    position = position - later * jnp.uint32(length)
    if not shuffle:
        return position
    if count > length:
        return permuted(position, round_keys(place.epoch + later, place.seed, length), length)
    # At most two epochs: their keys are made once, not for each example.
    now, then = (round_keys(place.epoch + jnp.uint32(i), place.seed, length)[:, None] for i in (0, 1))
    return permuted(position, jnp.where(later > 0, then, now), length)


# Kept, as draws that are told ahead, while steps are made, are asked for again.
@lru_cache(maxsize=4)
def _next_on_host(seed: int, epoch: int, position: int, count: int, length: int, shuffle: bool) -> np.ndarray:
    """The same numbers, by parts that are small enough for the processor's nearest memory: a piece of an epoch, or as
    many whole ones as fit."""
    numbers, done = np.empty(count, np.uint32), 0
    while done < count:
        size = min(count - done, length - position, PART_SIZE)
        whole = max(1, min(count - done, PART_SIZE) // length) if position == 0 and size == length else 1
        part = np.arange(position, position + size, dtype=np.uint32)
        epochs = np.arange(epoch, epoch + whole, dtype=np.uint64).astype(np.uint32)[:, None]
        if shuffle:
            # The hash counts modulo 2³².
            with np.errstate(over="ignore"):
                part = permuted(part, round_keys(epochs, np.uint32(seed), length), length)
        numbers[done : done + whole * size] = np.broadcast_to(part, (whole, size)).reshape(-1)
        done, position = done + whole * size, position + size
        if position == length:
            epoch, position = epoch + whole, 0
    numbers.flags.writeable = False
    return numbers


def place_after(place: Place, count: int | Array, length: int) -> Place:
    """The place `count` examples further."""
    if namespace(place.position) is np:
        later, position = divmod(int(place.position) + int(count), length)
        return Place(place.seed, np.uint32((int(place.epoch) + later) % 2**32), np.uint32(position))
    end = place.position + jnp.asarray(count, dtype=jnp.uint32)
    epochs = end // jnp.uint32(length)
    return Place(place.seed, place.epoch + epochs, end - epochs * jnp.uint32(length))


def rows(array: jax.Array, index: Array) -> jax.Array:
    """The rows of an array by number, without the bounds check that the numbers have no need of.

    A kernel that gathers many rows is split over threads on a CPU, which costs more than it saves: hence few at a time.
    """
    if array.ndim == 1 or len(index) <= GATHER_SIZE or len(index) % GATHER_SIZE:
        return _all_rows(array, index)
    parts = jax.lax.map(lambda part: _all_rows(array, part), index.reshape(-1, GATHER_SIZE))
    return parts.reshape(len(index), *array.shape[1:])


def _all_rows(array: jax.Array, index: Array) -> jax.Array:
    """The rows of an array by number, in one kernel."""
    return array.at[index].get(mode="promise_in_bounds")
