"""Batches of several processes, each of which brings its own rows."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from descend._division import Division
from descend._tree import Tree
from descend.errors import InputError
from descend.sources._base import Batch, Cursor, Feed
from descend.sources.host import HostArrays, HostSource, draw_ahead
from descend.sources.loaders import batches_of, is_loader


class GlobalBatches:
    """Batches that are divided among processes, each of which draws its part from rows that it alone has.

    So nobody has all rows in memory, and none of them is sent to another process. Each process makes one of these and
    descends with it, in a program that called `jax.distributed.initialize`; one process alone may do so, too.

    `rows`: of this process: arrays with a common first axis, which stay where they are (`numpy.memmap`); or a data
    loader or a source of the host, which gives this process's part of each batch. `batch_size`: of all processes
    together; left out for what has batches of its own. `devices`: among which a batch is divided, by default all of all
    processes. `shuffle`: off, for arrays whose order is random already or must be kept.

    The rows of each process are shuffled among themselves, so that a batch has as many of each. It is not the batch
    that one process would draw from all of them: for that give `minimize` an array that is divided over the devices.

    **Raises** `InputError` for a batch that devices cannot have equal parts of, and where processes have other numbers
    of rows, or give other parts, than each other.

    >>> import numpy as np
    >>> from descend import SGD, minimize
    >>> rows = np.arange(8.0, dtype=np.float32)
    >>> fit = minimize(lambda w, x: ((x - w) ** 2).mean(), 0.0, GlobalBatches(rows, 4), optimizer=SGD(0.5), steps=2)
    >>> fit.reason.name, fit.run.step
    ('budget', 2)
    """

    on_host = True

    def __init__(
        self, rows: Any, batch_size: int | None = None, devices: Sequence[Any] | None = None, shuffle: bool = True
    ):
        self.division = Division(Mesh(np.array(jax.devices() if devices is None else devices), ("rows",)), ("rows",))
        self.batch_size, self.shuffle = batch_size, shuffle
        self._processes = self.division.processes
        self._own = self._source(rows)
        self.steps_per_epoch = getattr(self._own, "steps_per_epoch", None)

    @property
    def data(self) -> Batch:
        """The rows of this process, if they are arrays."""
        return getattr(self._own, "data", None)

    def init(self, key: jax.Array) -> Cursor:
        """Where the source of each process begins."""
        return self._together(self._own.init(key))

    def draw(self, cursor: Cursor, params: Tree) -> tuple[Batch, Cursor]:
        """The batch at a cursor, and the cursor after it."""
        batch, after = self._own.draw(self._mine(cursor), params)
        return self._global(batch, axis=0), self._together(after)

    def feed(self, cursor: Cursor, params: Tree, most: int) -> Feed:
        """The next draws: as many as all processes have at hand."""
        mine = draw_ahead(self._own, self._mine(cursor), params, most)
        kind = str([(str(leaf.dtype), leaf.shape[1:]) for leaf in jax.tree.leaves(mine.draws)])
        told = self._processes.gathered((mine.size, kind))
        for i, (_, theirs) in enumerate(told):
            if theirs != told[0][1]:
                raise InputError(f"process {i} gave {theirs} as its part of a batch, and process 0 {told[0][1]}: all "
                                 "have to give equal parts")
        size = min(size for size, _ in told)
        return Feed(self._global(mine.draws, axis=1), size, lambda made: self._together(mine.after(made)))

    def _source(self, rows: Any) -> HostSource:
        if isinstance(rows, HostSource) or is_loader(rows):
            if self.batch_size is not None:
                raise InputError(f"batch_size is given, but the batches come from {type(rows).__name__}, which has its "
                                 "own")
            return rows if isinstance(rows, HostSource) else batches_of(rows)
        if self.batch_size is None:
            raise InputError("GlobalBatches of arrays need a batch_size, of all processes together")
        self.division.check_batch_size(self.batch_size)
        source = HostArrays(rows, self.batch_size * self._share // self.division.parts, self.shuffle)
        lengths = self._processes.gathered(len(jax.tree.leaves(source.data)[0]))
        if len(set(lengths)) > 1:
            raise InputError(f"processes have {', '.join(map(str, lengths))} rows: give each as many, as those of a "
                             "smaller part would be seen more often")
        return source

    @property
    def _share(self) -> int:
        """How many of the devices are this process's."""
        return sum(device.process_index == jax.process_index() for device in self.division.mesh.devices.flat)

    def _global(self, parts: Batch, axis: int) -> Batch:
        """Arrays that lie divided along an axis, from this process's part of them."""
        sharding, times = self.division.rows(before=axis), self.division.parts / self._share

        def whole(part: np.ndarray) -> jax.Array:
            length = round(part.shape[axis] * times)
            self.division.check_batch_size(length)
            shape = (*part.shape[:axis], length, *part.shape[axis + 1 :])
            return jax.make_array_from_process_local_data(sharding, part, shape)

        return jax.tree.map(whole, parts)

    def _together(self, cursor: Cursor) -> Cursor:
        """The cursors of all processes, one beside the other, for a checkpoint that one of them writes."""
        leaves = jax.tree.leaves(cursor)
        each = self._processes.gathered([leaf.item() for leaf in leaves])
        columns = iter(zip(*each, strict=True))
        return jax.tree.map(lambda leaf: np.array(next(columns), leaf.dtype), cursor)

    def _mine(self, cursor: Cursor) -> Cursor:
        return jax.tree.map(lambda leaf: leaf[self._processes.index], cursor)
