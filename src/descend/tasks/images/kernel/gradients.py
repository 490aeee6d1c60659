"""Histograms of oriented gradients: what shapes a picture has, and where, whatever its colours and its light."""

import math

import numpy as np
from jaxtyping import Float

from descend._arrays import Array, namespace

# As in the paper: orientations of half a turn, a gradient and its opposite being one edge; cells along a side of a
# block; and what no number of a block exceeds.
ORIENTATIONS, BLOCK_SIDE, LARGEST = 9, 2, 0.2
# Of a picture of one tone there is no direction: its blocks are 0.
LEAST_NORM = 1e-3
# Cells along a side, of a coarse grid and a fine one, where there are pixels enough.
GRIDS, LEAST_CELL = (4, 7), 2


def gradients_of(images: Float[Array, "n height width channels"]) -> Float[Array, "n features"]:
    """The histograms of pictures, in blocks, on a coarse grid and on a fine one; tones are from 0 to 255.

    It is NumPy's arithmetic for NumPy's arrays, and JAX's for those of JAX.

    Reference: Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    """
    votes = oriented(images)
    height, width = images.shape[1:3]
    grids = dict.fromkeys((min(cells, max(height // LEAST_CELL, 1)), min(cells, max(width // LEAST_CELL, 1)))
                          for cells in GRIDS)
    each = [blocks(in_cells(votes, rows, columns)) for rows, columns in grids]
    return namespace(images).concatenate(each, axis=1)


def oriented(images: Float[Array, "n height width channels"]) -> Float[Array, "n height width orientations"]:
    """How steep each pixel is, shared by the two orientations that its gradient lies between.

    The gradient is that of the channel in which it is steepest; beyond the border, the outermost pixels go on.
    """
    down, right = _steepest(_rise(images, 1), _rise(images, 2))
    xp = namespace(images)
    # Of half a turn the quotient tells all: an edge upright is at the end of it.
    upright = right == 0
    turned = xp.where(upright, np.float32(math.pi / 2), xp.arctan(down / xp.where(upright, np.float32(1), right)))
    place = turned * np.float32(ORIENTATIONS / math.pi)
    apart = abs(place - np.arange(ORIENTATIONS, dtype=np.float32))
    # The distance around half a turn: the last orientation is next to the first.
    apart = xp.minimum(apart, abs(ORIENTATIONS - apart))
    steepness = xp.sqrt(down * down + right * right) / 255
    return steepness * xp.maximum(1 - apart, 0)


def in_cells(
    votes: Float[Array, "n height width orientations"], rows: int, columns: int
) -> Float[Array, "n rows columns orientations"]:
    """The votes of the pixels, each shared by the cells whose centres it lies between."""
    height, width = votes.shape[1:3]
    xp = namespace(votes)
    across = xp.einsum("jw,nhwo->nhjo", _shares(width, columns), votes, optimize=True)
    return xp.einsum("ih,nhjo->nijo", _shares(height, rows), across, optimize=True)


def blocks(cells: Float[Array, "n rows columns orientations"]) -> Float[Array, "n features"]:
    """Neighbouring cells together, each block in units of its length, so that what is lit less counts as much.

    What stands out of a block is cut off, and the rest measured once more.
    """
    xp, (count, rows, columns, _) = namespace(cells), cells.shape
    down, right = (min(BLOCK_SIDE, length) for length in (rows, columns))
    parts = [cells[:, y : rows - down + y + 1, x : columns - right + x + 1] for y in range(down) for x in range(right)]
    stacked = xp.stack(parts, axis=-1)
    each = stacked.reshape(*stacked.shape[:3], ORIENTATIONS * len(parts))
    return _in_units(xp.minimum(_in_units(each), np.float32(LARGEST))).reshape(count, math.prod(each.shape[1:]))


def _rise(images: Array, axis: int) -> Array:
    """How much brighter what is behind each pixel along an axis is than what is before it."""
    xp, length = namespace(images), images.shape[axis]
    part = lambda begin, end: images[(slice(None),) * axis + (slice(begin, end),)]
    behind = xp.concatenate([part(1, length), part(length - 1, length)], axis=axis)
    return behind - xp.concatenate([part(0, 1), part(0, length - 1)], axis=axis)


def _steepest(down: Array, right: Array) -> tuple[Array, Array]:
    """The gradient of the channel in which it is steepest, the first of several.

    Squares of bytes are whole numbers, that float32 has all of: whatever the arithmetic, equals are equal.
    """
    xp, best = namespace(down), (down[..., :1], right[..., :1])
    square = lambda pair: pair[0] * pair[0] + pair[1] * pair[1]
    for channel in range(1, down.shape[-1]):
        other = down[..., channel : channel + 1], right[..., channel : channel + 1]
        is_steeper = square(other) > square(best)
        best = xp.where(is_steeper, other[0], best[0]), xp.where(is_steeper, other[1], best[1])
    return best


def _shares(length: int, cells: int) -> np.ndarray:
    """How much of a pixel each cell has, (cells, length): less, the further it is from the cell's centre."""
    place = (np.arange(length) + 0.5) * (cells / length) - 0.5
    return np.maximum(1 - np.abs(place - np.arange(cells)[:, None]), 0).astype(np.float32)


def _in_units(vectors: Array) -> Array:
    xp = namespace(vectors)
    return vectors / xp.sqrt(xp.sum(vectors * vectors, axis=-1, keepdims=True) + np.float32(LEAST_NORM**2))
