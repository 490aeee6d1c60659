"""The colours of pictures: which there are, and roughly where."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

# Parts along a side, of which each has a mean and a spread.
TILES = 4
# Degrees of each channel that are told apart, by how many channels there are: together they make a histogram.
DEGREES = {1: 8, 3: 4}


def colours_of(images: Float[np.ndarray, "n height width channels"]) -> Float[np.ndarray, "n features"]:
    """The mean and the spread of each channel in parts of pictures, and how often each colour occurs.

    Numbers are from 0 to 1. Of how often, it is the root: a few pixels of a colour tell more than a few more of one
    that is everywhere.
    """
    height, width = images.shape[1:3]
    rows, columns = (np.linspace(0, length, min(TILES, length) + 1).round().astype(int) for length in (height, width))
    found = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            part = images[:, top:bottom, left:right]
            found += [part.mean(axis=(1, 2)), part.std(axis=(1, 2))]
    return np.concatenate([*found, np.sqrt(_occurrences(images))], axis=1).astype(np.float32)


def _occurrences(images: np.ndarray) -> np.ndarray:
    """The share of pixels that have each colour; nothing of pictures with other channels than grey or three."""
    count, *_, channels = images.shape
    degrees = DEGREES.get(channels)
    if degrees is None:
        return np.zeros((count, 0))
    each = np.clip((images * degrees).astype(int), 0, degrees - 1).reshape(count, -1, channels)
    colours = degrees**channels
    numbers = each @ degrees ** np.arange(channels) + colours * np.arange(count)[:, None]
    return np.bincount(numbers.ravel(), minlength=count * colours).reshape(count, colours) / each.shape[1]
