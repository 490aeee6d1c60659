"""A shuffle that is a function, not an array: example number `i` of an epoch, from (seed, epoch, i) alone.

Nothing is stored and nothing is sorted, so an epoch costs the same to begin as to go on with, and a cursor is three
numbers. Written on operators of 32-bit integers: NumPy and JAX give the same order.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isqrt
from types import ModuleType
from typing import Any

import jax
import numpy as np

from descend._arrays import Array, Scalar, namespace


def shuffled(position: Array, epoch: Array, seed: Scalar | np.unsignedinteger, length: int) -> Any:
    """Where the examples at `position` of an epoch are in the data: a bijection of 0 … length − 1 for each epoch."""
    return permuted(position, round_keys(epoch, seed, length), length)


def round_keys(epoch: Array, seed: Scalar | np.unsignedinteger, length: int) -> Any:
    """The keys of an epoch's order: 32 random bits for each round, along the first axis."""
    xp = namespace(epoch)
    # Hashed twice, so that seeds and epochs which are near each other have orders that are not.
    key = mixed(xp.asarray(seed, dtype=xp.uint32) + mixed(xp.asarray(epoch, dtype=xp.uint32)))
    # Multiples of the golden ratio's bits are spread evenly over 32 bits: no two rounds have keys that are alike.
    numbers = np.arange(1, _rounds(length) + 1, dtype=np.uint64) * 0x9E3779B9 & 0xFFFFFFFF
    return mixed(key[None] + xp.asarray(numbers.astype(np.uint32)).reshape(-1, *[1] * key.ndim))


def permuted(position: Array, keys: Array, length: int) -> Any:
    """The positions in the order that the keys give.

    A Feistel network on the positions below a·b ≥ length, written as pairs of digits: each digit in turn is moved by a
    hash of the other, which can be undone, so no two positions meet. One that is moved past the end goes through the
    network again until it is not ("cycle walking"), which keeps it a bijection. `length` is below 2³².

    Reference: Black and Rogaway, "Ciphers with arbitrary finite domains", 2002.
    """
    xp = namespace(position)
    rows, cols = _digits(length)

    def network(index: Array, keys: Array | Sequence[Array]) -> Any:
        def two_rounds(number: Any, digits: tuple[Any, Any]) -> tuple[Any, Any]:
            high, low = digits
            high = _moved(xp, high, low ^ keys[2 * number], rows)
            low = _moved(xp, low, high ^ keys[2 * number + 1], cols)
            return high, low

        high = index // xp.uint32(cols)
        high, low = _repeat(xp, len(keys) // 2, two_rounds, (high, index - high * xp.uint32(cols)))
        return high * xp.uint32(cols) + low

    index = network(xp.asarray(position, dtype=xp.uint32), keys)
    if rows * cols == length:
        return index
    if xp is np:
        return _walked(network, np.asarray(index), keys, length)
    return jax.lax.while_loop(
        lambda index: (index >= xp.uint32(length)).any(),
        lambda index: xp.where(index >= xp.uint32(length), network(index, keys), index),
        index,
    )


def _walked(network: Callable[[Any, Any], Any], index: np.ndarray, keys: Any, length: int) -> np.ndarray:
    """The positions, those past the end sent through the network again: in NumPy, these alone."""
    while (past := np.nonzero(index >= length))[0].size:
        index[past] = network(index[past], [np.broadcast_to(key, index.shape)[past] for key in keys])
    return index


def seed_of(words: Any) -> Any:
    """32 random bits from the words of a key, along the first axis."""
    seed = words[0]
    for word in words[1:]:
        seed = mixed(seed) ^ word
    return mixed(seed)


# Kept: of what is drawn from a batch at a time, the search would take longer than the draw.
@lru_cache(maxsize=64)
def _digits(length: int) -> tuple[int, int]:
    """Two numbers, neither more than twice the other or so, whose product is hardly above `length`: less walking."""
    root = isqrt(length - 1) + 1
    pairs = ((rows, -(-length // rows)) for rows in range(root - root // 4, root + 1))
    return min(pairs, key=lambda pair: pair[0] * pair[1])


def _rounds(length: int) -> int:
    """Enough for orders that chi-square tests cannot tell from uniform ones: few positions need more."""
    return 24 if length < 64 else 10 if length < 1024 else 8


def _moved(xp: ModuleType, digit: Array, key: Array, base: int) -> Any:
    """`digit` plus a hash of `key`, modulo `base`: 16 random bits, multiplied into the range without a division."""
    key = key * xp.uint32(0x7FEB352D)
    key = (key ^ (key >> xp.uint32(15))) * xp.uint32(0x846CA68B)
    digit = digit + ((key >> xp.uint32(16)) * xp.uint32(base) >> xp.uint32(16))
    # Below 0 the difference wraps around to more than any digit, so that the least of both is the remainder.
    return xp.minimum(digit, digit - xp.uint32(base))


def mixed(x: Array) -> Any:
    """A 32-bit integer hash in which every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def _repeat(xp: ModuleType, times: int, step: Callable[[Any, Any], Any], value: Any) -> Any:
    """Apply `step(number, value)` `times` times: in JAX as a loop, because unrolled it is computed over and over."""
    if xp is jax.numpy:
        return jax.lax.fori_loop(0, times, step, value)
    for number in range(times):
        value = step(number, value)
    return value
