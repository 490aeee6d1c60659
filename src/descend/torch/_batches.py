"""Where a module's batches come from: tensors in memory, or a loader."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable
from zlib import crc32

import jax
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from descend._arrays import is_array
from descend._tree import Tree, is_plain_list, named_leaves
from descend.errors import InputError
from descend.sources import HostArrays, IterableBatches
from descend.sources.batches import Place, check_batch_size, next_examples, place_after
from descend.sources.host import Turn
from descend.sources.loaders import batches_of, is_loader, torch_generator

DEFAULT_BATCH_SIZE = 64
# Examples whose order is drawn at a time: NumPy draws many of them nearly as fast as a few.
DRAWN_AT_A_TIME = 2**14


@runtime_checkable
class Walked(Protocol):
    """A source of batches for a module: the same cursor always begins the same walk."""

    def walk(self, cursor: Any, n: int) -> Iterator[tuple[Any, Any]]:
        """The next `n` batches, each with the cursor after it."""


class TensorBatches(HostArrays):
    """Mini-batches of tensors that lie in memory, or on a device; the same batches in the same order as `MiniBatches`
    of the same data: each example once in an epoch, and no seam between epochs."""

    def __init__(self, data: Any, batch_size: int, shuffle: bool = True):
        self.data, self._length = tensors_of(data)
        check_batch_size(batch_size, self._length)
        self.batch_size, self.shuffle = batch_size, shuffle

    def draw(self, cursor: Place, params: Tree) -> tuple[Any, Place]:
        """The next examples."""
        return next(self.walk(cursor, 1))

    def walk(self, cursor: Place, n: int) -> Iterator[tuple[Any, Place]]:
        """The next `n` batches, each with the place after it."""
        size, many = self.batch_size, max(1, DRAWN_AT_A_TIME // self.batch_size)
        for begin in range(0, n, many):
            count = min(many, n - begin)
            numbers = next_examples(cursor, count * size, self._length, self.shuffle).astype(np.int64)
            for chosen in torch.from_numpy(numbers).view(count, size):
                cursor = place_after(cursor, size, self._length)
                yield self.examples(chosen), cursor

    @property
    def length(self) -> int:
        """How many examples there are."""
        return self._length

    def examples(self, chosen: Tensor) -> Any:
        """The examples with these numbers."""
        return jax.tree.map(lambda leaf: leaf.index_select(0, chosen.to(leaf.device)), self.data)


class LoaderBatches(IterableBatches):
    """The batches of a `DataLoader`, or of any iterable that begins anew, as it gives them.

    Each is drawn with random numbers of its own, made from the loader's seed and the batch's number, so that what is
    drawn again after a resume is the same batch.
    """

    seed: int = 0
    batch_size: int | None = None

    @classmethod
    def of(cls, loader: Iterable[Any]) -> "LoaderBatches":
        """The batches of a loader."""
        made = batches_of(loader, cls)
        generator = torch_generator(loader)
        made.seed = 0 if generator is None else generator.initial_seed()
        made.batch_size = getattr(loader, "batch_size", None)
        return made

    @property
    def identity(self) -> str:
        """What a run that goes on must find the same."""
        return f"LoaderBatches of {self.steps_per_epoch} batches, seed {self.seed}"

    def walk(self, cursor: Turn, n: int) -> Iterator[tuple[Any, Turn]]:
        """The next `n` batches, each with the turn after it."""
        for _ in range(n):
            batch, cursor = self.draw(cursor, None)
            yield batch, cursor

    def _given(self, epoch: int, position: int) -> Any:
        with own_randomness(crc32(f"{self.seed} {epoch} {position}".encode())):
            return next(self._live, None)

    def _seek(self, cursor: Turn) -> None:
        with own_randomness(crc32(f"{self.seed} {cursor.epoch}".encode())):
            super()._seek(cursor)


@contextlib.contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """PyTorch's random numbers on a CPU from this seed, and afterwards those that would have come without it."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def batches_for(data: Any, batch_size: int | None) -> Any:
    """What gives the batches of these data.

    **Raises** `InputError` for no data, an iterator, a loader together with a batch size, and what are no numbers.
    """
    if data is None:
        raise InputError("a module is trained on data: give tensors, arrays, a TensorDataset or a DataLoader; for a "
                         "function of parameters alone there is descend.minimize")
    if isinstance(data, TensorBatches | LoaderBatches):
        return data
    if isinstance(data, DataLoader) or (is_loader(data) and not isinstance(data, TensorDataset)):
        if batch_size is not None:
            raise InputError(f"batch_size is given, but the batches come from {type(data).__name__}, which has its own")
        return LoaderBatches.of(data)
    _, length = tensors_of(data)
    return TensorBatches(data, min(DEFAULT_BATCH_SIZE, length) if batch_size is None else batch_size)


def tensors_of(data: Any, what: str = "data") -> tuple[Tree, int]:
    """A tree of tensors, one row per example, and how many there are; arrays become tensors on the same memory.

    **Raises** `InputError` for what are none, or of different lengths.
    """
    if isinstance(data, TensorDataset):
        data = data.tensors
    if not isinstance(data, Tensor | tuple | list | Mapping) and not is_array(data) and not hasattr(data, "__array__"):
        raise InputError(f"{what} must be tensors, arrays, a TensorDataset or a DataLoader, but is a "
                         f"{type(data).__name__}: for a Dataset write DataLoader(dataset, batch_size=64, shuffle=True)")
    try:
        tensors = jax.tree.map(_tensor, data, is_leaf=is_plain_list)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} must be arrays of numbers: {error}") from None
    lengths = {name: len(leaf) if leaf.ndim else 0 for name, leaf in named_leaves(tensors).items()}
    if not lengths or 0 in lengths.values():
        raise InputError(f"{what} holds no examples: {lengths or 'no tensors at all'}")
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise InputError(f"{what} tensors differ in their number of examples: {counts}")
    return tensors, next(iter(lengths.values()))


def _tensor(leaf: Any) -> Tensor:
    return leaf.detach() if isinstance(leaf, Tensor) else torch.as_tensor(np.asarray(leaf))


def examples_in(batch: Any) -> int:
    """How many examples a batch has; 1 where that cannot be told."""
    first: Callable[[Any], bool] = lambda leaf: isinstance(leaf, Tensor) and leaf.ndim > 0
    return next((len(leaf) for leaf in jax.tree.leaves(batch) if first(leaf)), 1)
