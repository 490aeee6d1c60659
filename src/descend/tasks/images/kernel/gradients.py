"""Histograms of oriented gradients: what shapes a picture has, and where, whatever its colours and its light."""

import numpy as np
from jaxtyping import Float

# As in the paper: orientations of half a turn, a gradient and its opposite being one edge; cells along a side of a
# block; and what no number of a block exceeds.
ORIENTATIONS, BLOCK_SIDE, LARGEST = 9, 2, 0.2
# Of a picture of one tone there is no direction: its blocks are 0.
LEAST_NORM = 1e-3
# Cells along a side, of a coarse grid and a fine one, where there are pixels enough.
GRIDS, LEAST_CELL = (4, 7), 2


def gradients_of(images: Float[np.ndarray, "n height width channels"]) -> Float[np.ndarray, "n features"]:
    """The histograms of pictures, in blocks, on a coarse grid and on a fine one.

    Reference: Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    """
    votes = oriented(images)
    height, width = images.shape[1:3]
    grids = dict.fromkeys((min(cells, max(height // LEAST_CELL, 1)), min(cells, max(width // LEAST_CELL, 1)))
                          for cells in GRIDS)
    return np.concatenate([blocks(in_cells(votes, rows, columns)) for rows, columns in grids], axis=1)


def oriented(
    images: Float[np.ndarray, "n height width channels"]
) -> Float[np.ndarray, "n height width orientations"]:
    """How steep each pixel is, shared by the two orientations that its gradient lies between.

    The gradient is that of the channel in which it is steepest; beyond the border, the outermost pixels go on.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    down, right = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1], padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    steepness = np.hypot(down, right)
    steepest = steepness.argmax(axis=-1)[..., None]
    down, right, steepness = (np.take_along_axis(each, steepest, -1) for each in (down, right, steepness))
    place = np.arctan2(down, right) * (ORIENTATIONS / np.pi)
    # The distance around half a turn: the last orientation is next to the first.
    apart = np.abs((place - np.arange(ORIENTATIONS) + ORIENTATIONS / 2) % ORIENTATIONS - ORIENTATIONS / 2)
    return (steepness * np.maximum(1 - apart, 0)).astype(np.float32)


def in_cells(
    votes: Float[np.ndarray, "n height width orientations"], rows: int, columns: int
) -> Float[np.ndarray, "n rows columns orientations"]:
    """The votes of the pixels, each shared by the cells whose centres it lies between."""
    height, width = votes.shape[1:3]
    across = np.einsum("jw,nhwo->nhjo", _shares(width, columns), votes, optimize=True)
    return np.einsum("ih,nhjo->nijo", _shares(height, rows), across, optimize=True)


def blocks(cells: Float[np.ndarray, "n rows columns orientations"]) -> Float[np.ndarray, "n features"]:
    """Neighbouring cells together, each block in units of its length, so that what is lit less counts as much.

    What stands out of a block is cut off, and the rest measured once more.
    """
    rows, columns = (min(BLOCK_SIDE, count) for count in cells.shape[1:3])
    windows = np.lib.stride_tricks.sliding_window_view(cells, (rows, columns), axis=(1, 2))
    each = windows.reshape(*windows.shape[:3], -1)
    return _in_units(np.minimum(_in_units(each), LARGEST)).reshape(len(cells), -1)


def _shares(length: int, cells: int) -> np.ndarray:
    """How much of a pixel each cell has, (cells, length): less, the further it is from the cell's centre."""
    place = (np.arange(length) + 0.5) * (cells / length) - 0.5
    return np.maximum(1 - np.abs(place - np.arange(cells)[:, None]), 0).astype(np.float32)


def _in_units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True) + LEAST_NORM**2)
