"""Hashes of data, by which a checkpoint knows them again."""

import hashlib
import math
from typing import Any

import jax
import numpy as np

from descend._arrays import as_numpy
from descend._division import Division, processes_among
from descend._tree import Tree, named_leaves
from descend.sources import GlobalBatches

# Numbers at a time, which the processor's nearest memory holds.
PART_SIZE = 2**14
# SplitMix64's constants.
GOLDEN, FIRST, SECOND = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def source_digest(source: Any) -> str:
    """A hash of the data of a source, if it has them: of the rows of all processes, if each has its own."""
    found = digest(getattr(source, "data", None))
    if isinstance(source, GlobalBatches):
        each = processes_among(source.division).gathered(found)
        found = hashlib.sha256(" ".join(each).encode()).hexdigest()[:16]
    return found


def digest(data: Any) -> str:
    """A hash of the data, some rows at a time, because they may be larger than memory.

    Of data that are divided over devices, each process looks at what lies with it alone. Their hash is another one than
    that of the same data on the host, but the same over any number of devices and processes, one of each included.
    """
    division = Division.of(data)
    return _of_rows(data) if division is None else _of_divided(data, division)


def _of_rows(data: Any) -> str:
    found = hashlib.sha256()
    for name, leaf in named_leaves(data).items():
        array = as_numpy(leaf)
        found.update(_header(name, array))
        rows = max(1, 2**24 // max(array[:1].nbytes, 1))
        for row in range(0, len(array), rows):
            found.update(np.ascontiguousarray(array[row : row + rows]).tobytes())
    return found.hexdigest()[:16]


def _of_divided(data: Tree, division: Division) -> str:
    leaves = named_leaves(data)
    mine = [sum(_mixed(shard, leaf.shape) for shard in _shards(leaf)) for leaf in leaves.values()]
    each = processes_among(division).gathered(mine)
    found = hashlib.sha256()
    for (name, leaf), sums in zip(leaves.items(), zip(*each, strict=True), strict=True):
        found.update(_header(name, leaf))
        found.update((sum(sums) % 2**64).to_bytes(8, "little"))
    return found.hexdigest()[:16]


def _header(name: str, array: Any) -> bytes:
    return f"{name} {array.dtype} {array.shape}".encode()


def _shards(array: jax.Array) -> list[Any]:
    """The parts of an array that lie with this process; of copies, the first."""
    return [shard for shard in array.addressable_shards if shard.replica_id == 0]


def _mixed(shard: Any, shape: tuple[int, ...]) -> int:
    """The sum, modulo 2⁶⁴, of a hash of each number in a part and of its place in the whole array: such sums add up to
    that of the whole, however it is divided.

    Reference: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014, for the mixing.
    """
    words = _words(np.asarray(shard.data))
    # The places of a row's words in the whole row, which may be divided, too.
    within = np.zeros(1, np.uint64)
    for part, length in zip((*shard.index[1:], slice(None)), (*shape[1:], words.shape[-1]), strict=True):
        along = np.arange(length, dtype=np.uint64)[part]
        within = (within[:, None] * np.uint64(length) + along).reshape(-1)
    words, width = words.reshape(len(words), -1), np.uint64(math.prod(shape[1:]) * words.shape[-1])
    first, rows, total = shard.index[0].start or 0, max(1, PART_SIZE // max(words.shape[1], 1)), 0
    with np.errstate(over="ignore"):
        for i in range(0, len(words), rows):
            part = words[i : i + rows]
            begins = np.arange(first + i, first + i + len(part), dtype=np.uint64) * width
            total += int(_hashes(part, begins[:, None] + within).sum(dtype=np.uint64))
    return total


def _words(array: np.ndarray) -> np.ndarray:
    """The bits of an array as whole numbers; along a last axis, those of a number."""
    size = min(array.dtype.itemsize, 8)
    return np.ascontiguousarray(array)[..., None].view(f"u{size}")


def _hashes(words: np.ndarray, places: np.ndarray) -> np.ndarray:
    mixed = words + (places + np.uint64(1)) * GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * SECOND
    return mixed ^ (mixed >> np.uint64(31))
