"""Where batches come from: nothing, all the data, mini-batches of it, or the host."""

from descend.sources._base import Batch, Cursor, Empty, Fed, Feed, Plan, Planned, Source, WholeSet, as_data
from descend.sources._given import among, division_of, on_device, source_of
from descend.sources.batches import MiniBatches, mini_batches
from descend.sources.global_batches import GlobalBatches
from descend.sources.host import Drawn, HostArrays, HostSource, IterableBatches, draw_ahead
from descend.sources.loaders import batches_of, is_loader
from descend.sources.windows import WindowedBatches

__all__ = [
    "Batch",
    "Cursor",
    "Drawn",
    "Empty",
    "Fed",
    "Feed",
    "GlobalBatches",
    "HostArrays",
    "HostSource",
    "IterableBatches",
    "MiniBatches",
    "Plan",
    "Planned",
    "Source",
    "WholeSet",
    "WindowedBatches",
    "among",
    "as_data",
    "batches_of",
    "division_of",
    "draw_ahead",
    "is_loader",
    "mini_batches",
    "on_device",
    "source_of",
]
