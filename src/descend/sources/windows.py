"""Mini-batches of rows that are read in parts, as they are larger than memory: shuffled within windows of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import jax
import numpy as np

from descend._shuffle import seed_of, shuffled
from descend._tree import Tree
from descend.errors import InputError
from descend.sources._base import Batch
from descend.sources.batches import Place, check_batch_size, first_place, place_after

# A window: the parts that it has, in their order, and how many rows these have together.
Window = tuple[tuple[int, ...], int]
# What a cursor counts up to.
MOST_ROWS = 2**32


@dataclass(frozen=True)
class Order:
    """The windows of an epoch, one after the other; `starts`: the number of the first row of each."""

    windows: tuple[Window, ...]
    starts: np.ndarray


class WindowedBatches:
    """Batches of rows of which a window is in memory at a time, and the next one is read while steps are made.

    In each epoch the parts come in an order that is a function of (seed, epoch). Parts that follow each other are a
    window, as many as have no more than `window` rows, or a single one that has. The rows of a window come in an order
    that is a function of (seed, epoch, window). So a row's place is a function of the cursor, which is three numbers
    as that of `MiniBatches`: a descent resumes in the middle of a window. Epochs follow each other without a seam; all
    batches have one size, and each row is seen once in an epoch.

    Rows of different windows are never in one batch, but where one window ends. So the more parts a window has, the
    more even it is.

    `sizes`: the rows of each part. `read`: the rows of some parts, one after the other, as a pytree of arrays; it is
    called on another thread. `told`: what a checkpoint knows the rows again by.

    **Raises** `InputError` for a batch size that is not between 1 and the number of rows.

    >>> import jax, numpy as np
    >>> data = np.arange(8).reshape(4, 2)  # four parts of two rows
    >>> source = WindowedBatches([2] * 4, lambda parts: data[list(parts)].reshape(-1), batch_size=4, window=4)
    >>> first, cursor = source.draw(source.init(jax.random.key(0)), params=None)
    >>> second, cursor = source.draw(cursor, params=None)
    >>> sorted(first.tolist() + second.tolist()), int(cursor.epoch), int(cursor.position)
    ([0, 1, 2, 3, 4, 5, 6, 7], 1, 0)
    """

    on_host = True

    def __init__(
        self, sizes: Sequence[int], read: Callable[[Sequence[int]], Batch], batch_size: int, window: int, told: str = ""
    ):
        self._sizes, self._read, self.batch_size, self._window = np.asarray(sizes, np.int64), read, batch_size, window
        # Parts without a row have no place.
        self._parts, self._length = np.flatnonzero(self._sizes), int(self._sizes.sum())
        if self._length >= MOST_ROWS:
            raise InputError(f"there are {self._length:,} rows, but an epoch has at most {MOST_ROWS - 1:,}: leave some "
                             "out")
        check_batch_size(batch_size, self._length)
        self.identity = f"{type(self).__name__} of {self._length} rows, {window} at a time: {told}"
        self._order = lru_cache(maxsize=4)(self._ordered)
        self._reader = ThreadPoolExecutor(1, "windows")
        # Those that are in memory, or being read.
        self._held: dict[tuple[int, int, int], Future[tuple[Batch, np.ndarray]]] = {}

    def init(self, key: jax.Array) -> Place:
        """The beginning of the first epoch."""
        return first_place(key)

    def draw(self, cursor: Place, params: Tree) -> tuple[Batch, Place]:
        """The next rows, of one window or of several that follow each other."""
        place, missing, pieces = cursor, self.batch_size, list[Batch]()
        while missing:
            piece, count = self._rows(place, missing)
            pieces, missing, place = [*pieces, piece], missing - count, place_after(place, count, self._length)
        batch = pieces[0] if len(pieces) == 1 else jax.tree.map(lambda *arrays: np.concatenate(arrays), *pieces)
        return batch, place

    @property
    def steps_per_epoch(self) -> float:
        """The number of rows divided by the batch size."""
        return self._length / self.batch_size

    def _rows(self, place: Place, most: int) -> tuple[Batch, int]:
        """The next rows of one window, and how many."""
        seed, epoch, position = map(int, place)
        order = self._order(seed, epoch)
        number = int(np.searchsorted(order.starts, position, side="right")) - 1
        start = position - int(order.starts[number])
        rows, places = self._in_memory(seed, epoch, number)
        chosen = places[start : start + most]
        return jax.tree.map(lambda array: array[chosen], rows), len(chosen)

    def _in_memory(self, seed: int, epoch: int, number: int) -> tuple[Batch, np.ndarray]:
        """The rows of a window, and their order; the next one is begun to be read."""
        now, then = (seed, epoch, number), (seed, epoch, number + 1)
        if then[2] == len(self._order(seed, epoch).windows):
            then = seed, (epoch + 1) % 2**32, 0
        if now not in self._held or then not in self._held:
            # First forgotten, so that there is memory for others.
            self._held = {key: held for key, held in self._held.items() if key in (now, then)}
            for key in (now, then):
                if key not in self._held:
                    self._held[key] = self._reader.submit(self._loaded, *key)
        return self._held[now].result()

    def _loaded(self, seed: int, epoch: int, number: int) -> tuple[Batch, np.ndarray]:
        parts, count = self._order(seed, epoch).windows[number]
        with np.errstate(over="ignore"):
            of_epoch = seed_of(np.array([seed, epoch], np.uint32))
            places = shuffled(np.arange(count, dtype=np.uint32), np.asarray(number, np.uint32), of_epoch, count)
        return self._read(parts), places

    def _ordered(self, seed: int, epoch: int) -> Order:
        count = len(self._parts)
        with np.errstate(over="ignore"):
            places = shuffled(np.arange(count, dtype=np.uint32), np.asarray(epoch, np.uint32), np.uint32(seed), count)
        windows, parts, rows = list[Window](), list[int](), 0
        for part, size in zip(self._parts[places].tolist(), self._sizes[self._parts[places]].tolist(), strict=True):
            if parts and rows + size > self._window:
                windows.append((tuple(parts), rows))
                parts, rows = [], 0
            parts.append(part)
            rows += size
        windows.append((tuple(parts), rows))
        sizes = [rows for _, rows in windows]
        return Order(tuple(windows), np.cumsum([0, *sizes[:-1]]))
