"""Data loaders: objects that give batches anew each time they are iterated over, of any library."""

import sys
from collections.abc import Iterable, Iterator, Mapping, MappingView, Sequence, Set
from itertools import chain
from typing import Any, TypeVar

import jax

from descend.errors import InputError
from descend.sources._base import Batch
from descend.sources.host import IterableBatches

L = TypeVar("L", bound=IterableBatches)
# What arrays of any library have; the last is of SciPy's sparse matrices.
LIKE_ARRAYS = ("__array__", "__array_interface__", "__dlpack__", "toarray")


def is_loader(data: Any) -> bool:
    """Whether this is iterated over for its batches: no array or frame, none of Python's containers, no pytree."""
    if isinstance(data, Sequence | Set | Mapping | MappingView) or any(hasattr(data, name) for name in LIKE_ARRAYS):
        return False
    return isinstance(data, Iterator) or (isinstance(data, Iterable) and jax.tree_util.all_leaves([data]))


def batches_of(loader: Iterable[Batch], kind: type[L] = IterableBatches) -> L:  # type: ignore[assignment]
    """The batches of a loader, epoch after epoch; how many an epoch has, if it knows its length.

    A loader that shuffles must do so by the number of the epoch, or a descent could not be resumed in the middle of
    one. So it is told that, if it has `set_epoch`; and the random numbers that PyTorch's loaders begin an epoch with
    are made from it and the seed that there is.

    **Raises** `InputError` for an iterator, which gives its batches only once.
    """
    if isinstance(loader, Iterator):
        raise InputError("the data are an iterator, which gives its batches only once: give a function that begins an "
                         "epoch anew, as IterableBatches(lambda epoch: ...)")
    generator = torch_generator(loader)
    seed = None if generator is None else generator.initial_seed()

    def begun(epoch: int) -> Iterable[Batch]:
        if hasattr(loader, "set_epoch"):
            loader.set_epoch(epoch)
        if generator is None or seed is None:
            return loader
        before = generator.get_state()
        try:
            generator.manual_seed((seed + epoch) % 2**63)
            live = iter(loader)
            # Drawn here, under this seed, because the order is made when the first batch is asked for.
            first = list(_first(live))
        finally:
            generator.set_state(before)
        return chain(first, live)

    return kind(begun, _length(loader))


def torch_generator(loader: Any) -> Any:
    """The generator that one of PyTorch's loaders takes its random numbers from."""
    # It need not be imported here: whoever has a loader of it has done so.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(loader, torch.utils.data.DataLoader):
        return None
    return torch.default_generator if loader.generator is None else loader.generator


def _first(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The first batch, if there is one."""
    for batch in batches:
        yield batch
        return


def _length(loader: Any) -> float | None:
    try:
        return float(len(loader))
    except TypeError:
        # It has no length, or knows none.
        return None
