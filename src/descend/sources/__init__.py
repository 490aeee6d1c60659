"""Where batches come from: nothing, all the data, mini-batches of it, or the host."""

from descend.sources._base import Empty, Planned, Source, Unplanned, WholeSet, as_data
from descend.sources.batches import MiniBatches, mini_batches
from descend.sources.host import Drawn, HostArrays, HostSource, IterableBatches, draw_ahead

__all__ = [
    "Drawn",
    "Empty",
    "HostArrays",
    "HostSource",
    "IterableBatches",
    "MiniBatches",
    "Planned",
    "Source",
    "Unplanned",
    "WholeSet",
    "as_data",
    "draw_ahead",
    "mini_batches",
]
