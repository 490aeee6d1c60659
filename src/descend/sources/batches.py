"""Mini-batches of data in memory; single examples are batches of one."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from descend._arrays import namespace
from descend._tree import Tree
from descend.errors import InputError
from descend.schedules import fixed, setting
from descend.sources._base import Batch, as_data
from descend.sources._shuffle import shuffled


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
        index, cursor = next_examples(cursor, self.batch_size, self._length, self.shuffle)
        return jax.tree.map(lambda array: rows(jnp.asarray(array), index), self.data), cursor

    @property
    def steps_per_epoch(self) -> float:
        """The number of examples divided by the batch size."""
        return self._length / self.batch_size

    @property
    def _length(self) -> int:
        return int(jax.tree.leaves(self.data)[0].shape[0])


def batches(data: Any, batch_size: int, shuffle: bool = True) -> MiniBatches:
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


def next_examples(place: Place, batch_size: int, length: int, shuffle: bool) -> tuple[Any, Place]:
    """The numbers of the next `batch_size` examples of `length`, and the place after them."""
    xp = namespace(place.position)
    position = place.position + xp.arange(batch_size, dtype=xp.uint32)
    over = position >= length
    epoch = place.epoch + over.astype(xp.uint32)
    position = xp.where(over, position - xp.uint32(length), position)
    index = shuffled(position, epoch, place.seed, length) if shuffle else position
    end = place.position + xp.uint32(batch_size)
    wrapped = (end >= length).astype(xp.uint32)
    return index.astype(xp.int32), Place(place.seed, place.epoch + wrapped, end - wrapped * xp.uint32(length))


def rows(array: jax.Array, index: jax.Array) -> jax.Array:
    """The rows of an array by number, without the bounds check that the numbers have no need of."""
    return array.at[index].get(mode="promise_in_bounds")
