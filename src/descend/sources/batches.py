"""Mini-batches of data in memory; single examples are batches of one."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from descend._arrays import namespace
from descend._tree import Tree
from descend.errors import InputError
from descend.schedules import fixed, setting
from descend.sources._base import Batch, Plan, as_data
from descend.sources._shuffle import permuted, round_keys

PLANNED, GATHERED = 1024, 64  # examples at a time: numbered ahead, and gathered by a kernel


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
    `shuffle`: off, for data whose order is random already or must be kept.

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

    def init(self, key: jax.Array) -> Place:
        """The beginning of the first epoch."""
        return first_place(key)

    def draw(self, cursor: Place, params: Tree) -> tuple[Batch, Place]:
        """The next examples, gathered from the data."""
        index = next_examples(cursor, self.batch_size, self._length, self.shuffle)
        return self._gathered(index), place_after(cursor, self.batch_size, self._length)

    def plan(self, cursor: Place, params: Tree) -> Plan:
        """The numbers of the examples in the next draws: about a thousand of them."""
        ahead = max(1, PLANNED // self.batch_size)
        index = next_examples(cursor, ahead * self.batch_size, self._length, self.shuffle)
        return Plan(index.reshape(ahead, self.batch_size), jnp.int32(ahead), cursor)

    def take(self, draw: jax.Array, cursor: Place, params: Tree) -> tuple[Batch, Place]:
        """The examples of one draw."""
        return self._gathered(draw), cursor

    def after(self, cursor: Place, draws: jax.Array) -> Place:
        """The place behind so many batches."""
        return place_after(cursor, draws.astype(jnp.uint32) * jnp.uint32(self.batch_size), self._length)

    def _gathered(self, index: jax.Array) -> Batch:
        return jax.tree.map(lambda array: rows(jnp.asarray(array), index), self.data)

    @property
    def steps_per_epoch(self) -> float:
        """The number of examples divided by the batch size."""
        return self._length / self.batch_size

    @property
    def _length(self) -> int:
        return int(jax.tree.leaves(self.data)[0].shape[0])


def mini_batches(data: Any, batch_size: int, shuffle: bool = True) -> MiniBatches:
    """Checked mini-batches of `data`."""
    data, length = as_data(data)
    check_batch_size(batch_size, length)
    return MiniBatches(data, batch_size, shuffle)


def check_batch_size(batch_size: int, length: int) -> None:
    """Refuse a batch that the data cannot fill."""
    if not 1 <= batch_size <= length:
        raise InputError(f"batch_size must be between 1 and the {length} examples there are, but is {batch_size}")


def first_place(key: jax.Array) -> Place:
    """The beginning of the first epoch, with a seed made from `key`."""
    zero = jnp.zeros((), jnp.uint32)
    return Place(jax.random.bits(key, dtype=jnp.uint32), zero, zero)


def next_examples(place: Place, count: int, length: int, shuffle: bool) -> Any:
    """The numbers of the next `count` examples of data with `length`, across epochs."""
    xp = namespace(place.position)
    position = place.position + xp.arange(count, dtype=xp.uint32)
    later = position // xp.uint32(length)  # epochs
    position = position - later * xp.uint32(length)
    if not shuffle:
        return position
    if count > length:
        return permuted(position, round_keys(place.epoch + later, place.seed, length), length)
    # At most two epochs: their keys are made once, not for each example.
    now, then = (round_keys(place.epoch + xp.uint32(i), place.seed, length)[:, None] for i in (0, 1))
    return permuted(position, xp.where(later > 0, then, now), length)


def place_after(place: Place, count: Any, length: int) -> Place:
    """The place `count` examples further."""
    xp = namespace(place.position)
    end = place.position + xp.asarray(count, dtype=xp.uint32)
    epochs = end // xp.uint32(length)
    return Place(place.seed, place.epoch + epochs, end - epochs * xp.uint32(length))


def rows(array: jax.Array, index: jax.Array) -> jax.Array:
    """The rows of an array by number, without the bounds check that the numbers have no need of.

    A kernel that gathers many rows is split over threads on a CPU, which costs more than it saves: hence few at a time.
    """
    if array.ndim == 1 or len(index) <= GATHERED or len(index) % GATHERED:
        return array.at[index].get(mode="promise_in_bounds")
    parts = jax.lax.map(lambda part: array.at[part].get(mode="promise_in_bounds"), index.reshape(-1, GATHERED))
    return parts.reshape(len(index), *array.shape[1:])
