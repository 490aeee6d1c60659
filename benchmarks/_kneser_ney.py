"""Interpolated, modified Kneser-Ney: the best of the n-gram models, by bytes.

Reference: Chen and Goodman, "An empirical study of smoothing techniques for language modeling", 1999.
"""

from dataclasses import dataclass

import numpy as np

ALPHABET = 256
# Of what was seen once, twice, and more often, something else is taken away.
CLASSES = 3


@dataclass(frozen=True)
class Order:
    """The counts of one length: of sequences, of what came before their last byte, and what is taken away of each."""

    sequences: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    saved: np.ndarray

    @classmethod
    def of(cls, sequences: np.ndarray, counts: np.ndarray) -> "Order":
        """From different sequences, as sorted numbers of base 256, and how often each was seen."""
        often = np.array([np.sum(counts == n) for n in range(1, CLASSES + 2)], float)
        unit = often[0] / (often[0] + 2 * often[1])
        n = np.arange(1, CLASSES + 1)
        discounts = np.clip(n - (n + 1) * unit * often[1:] / np.maximum(often[:-1], 1), 0, n)
        taken = discounts[np.minimum(counts, CLASSES) - 1]
        contexts, place = np.unique(sequences // ALPHABET, return_inverse=True)
        return cls(sequences, counts - taken, contexts, np.bincount(place, counts), np.bincount(place, taken))

    def on(self, sequences: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """The probabilities of the last bytes, from those by a context that is shorter by one."""
        own = _found(self.sequences, self.counts, sequences)
        total = _found(self.contexts, self.totals, sequences // ALPHABET)
        saved = _found(self.contexts, self.saved, sequences // ALPHABET)
        # A context that was never seen says nothing.
        return np.where(total > 0, (own + saved * shorter) / np.maximum(total, 1), shorter)


def bits_per_byte(learnt: bytes, text: bytes, order: int = 6) -> float:
    """The bits that a byte of `text` takes by sequences of up to `order` bytes of what was learnt; what lies before
    `text` is the end of `learnt`."""
    data, whole = (np.frombuffer(x, np.uint8).astype(np.uint64) for x in (learnt, learnt[-order:] + text))
    sequences, counts = np.unique(_sequences(data, order), return_counts=True)
    orders = [Order.of(sequences, counts)]
    for length in range(order - 1, 0, -1):
        # How many different bytes came before: not how often it was, but in how many surroundings.
        sequences, counts = np.unique(sequences % ALPHABET**length, return_counts=True)
        orders.append(Order.of(sequences, counts))
    chances = np.full(len(text), 1 / ALPHABET)
    for length, each in enumerate(reversed(orders), 1):
        chances = each.on(_sequences(whole, length)[-len(text) :], chances)
    return float(-np.mean(np.log2(chances)))


def _sequences(data: np.ndarray, length: int) -> np.ndarray:
    """Every `length` bytes that follow each other, as a number of base 256."""
    count = len(data) - length + 1
    return sum((data[i : i + count] * np.uint64(ALPHABET ** (length - 1 - i)) for i in range(length)),
               np.zeros(count, np.uint64))


def _found(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The values of these keys, which are sorted; 0 where there is none."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0.0)
