"""A shuffle that is a function, not an array: example number `i` of an epoch, from (seed, epoch, i) alone.

Nothing is stored and nothing is sorted, so an epoch costs the same to begin as to go on with, and a cursor is three
numbers. Written on plain operators of 32-bit integers: NumPy and JAX give the same order.
"""

from math import isqrt
from typing import Any

import numpy as np

from descend._arrays import namespace

ROUNDS = 6


def shuffled(position: Any, epoch: Any, seed: Any, length: int) -> Any:
    """Where the examples at `position` of an epoch are in the data: a bijection of 0 … length − 1 for each epoch.

    Each round is half a Feistel network on the positions below a·b ≤ length, written as pairs of digits (a, b), and a
    swap-or-not step on all of them, which reflects a position about a random centre or leaves it; both can be undone,
    so no two positions ever meet. References: Black and Rogaway, "Ciphers with arbitrary finite domains", 2002; Hoang,
    Morris and Rogaway, "An enciphering scheme based on a card shuffle", 2012.
    """
    xp = namespace(position)
    u32 = np.uint32
    n, rows = u32(length), isqrt(length)
    cols = length // rows
    index = position.astype(xp.uint32)
    key = _mixed(seed ^ _mixed(epoch.astype(xp.uint32) + u32(0x9E3779B9)))
    for number in range(ROUNDS):
        round_key = _mixed(key + u32((number + 1) * 0x85EBCA6B & 0xFFFFFFFF))
        high, low = index // u32(cols), index % u32(cols)
        if number % 2:
            high = (high + _mixed(low ^ round_key) % u32(rows)) % u32(rows)
        else:
            low = (low + _mixed(high ^ round_key) % u32(cols)) % u32(cols)
        index = xp.where(index < u32(rows * cols), high * u32(cols) + low, index)
        mirrored = (round_key % n + n - index) % n
        swap = _mixed(xp.maximum(index, mirrored) + round_key) >> u32(31)
        index = xp.where(swap == u32(1), mirrored, index)
    return index


def _mixed(x: Any) -> Any:
    """A 32-bit integer hash in which every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))
