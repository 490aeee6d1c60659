"""The colours of pictures: which there are, and roughly where."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from descend._arrays import Array, namespace

# Parts along a side, of which each has a mean and a spread.
TILES = 4
# Degrees of each channel that are told apart, by how many channels there are: together they make a histogram.
DEGREES = {1: 8, 3: 4}


def colours_of(images: Float[Array, "n height width channels"]) -> Float[Array, "n features"]:
    """The mean and the spread of each channel in parts of pictures, and how often each colour occurs.

    Tones are from 0 to 255. Of how often, it is the root: a few pixels of a colour tell more than a few more of one
    that is everywhere. It is NumPy's arithmetic for NumPy's arrays, and JAX's for those of JAX.
    """
    height, width = images.shape[1:3]
    xp = namespace(images)
    rows, columns = (np.linspace(0, length, min(TILES, length) + 1).round().astype(int) for length in (height, width))
    found = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            # Sums of bytes are whole numbers, in whatever order they are added.
            part = images[:, top:bottom, left:right]
            found += [xp.mean(part, axis=(1, 2)) / 255, xp.std(part, axis=(1, 2)) / 255]
    return xp.concatenate([*found, xp.sqrt(_occurrences(images))], axis=1)


def _occurrences(images: Array) -> Array:
    """The share of pixels that have each colour; nothing of pictures with other channels than grey or three."""
    count, height, width, channels = images.shape
    xp, degrees = namespace(images), DEGREES.get(channels)
    if degrees is None:
        return images[:, :1, :1, :0].reshape(count, 0)
    each = xp.clip(xp.floor(images * degrees / 255), 0, degrees - 1).reshape(count, height * width, channels)
    degree = np.arange(degrees, dtype=np.float32)
    # Of each pixel, 1 for the degree that it has of a channel, and 0 for the others; then of several channels.
    *others, first = (each[:, :, channel : channel + 1] == degree for channel in reversed(range(channels)))
    has = xp.ones((count, height * width, 1), np.float32)
    for one in others:
        has = (has[..., None] * one[:, :, None]).reshape(count, height * width, -1)
    told = xp.einsum("npa,npb->nab", has, xp.astype(first, np.float32), optimize=True)
    return told.reshape(count, degrees**channels) / (height * width)
