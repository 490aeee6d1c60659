"""Texts as hashes of their words, and of words that follow each other: none of them is stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.utils import murmurhash3_32

from descend.errors import InputError
from descend.neural.words import words

# As many as there can be: so few n-grams share one that it does not matter.
HASH_BUCKETS = 2**31 - 1
# The power of how rare an n-gram is: on held-out texts better than the usual 1.
IDF_POWER = 1.5
# Per cent of the texts that rows are long enough for. The longest text would set the length of all rows.
LENGTH_PERCENTILE = 95


def as_texts(X: Any) -> list[str]:
    """The texts of a list, an array or a series.

    **Raises** `InputError` unless there are texts, one beside the other, and nothing else.
    """
    if isinstance(X, str):
        raise InputError("X must be a list of texts, but is one text: write [text]")
    if not hasattr(X, "__len__") or getattr(X, "ndim", 1) != 1:
        shape = f"has the shape {X.shape}" if hasattr(X, "shape") else f"is of type {type(X).__name__}"
        raise InputError(f"X must be a list, an array or a series of texts, but {shape}: give one column of them")
    texts = list(X)
    if not texts:
        raise InputError("X holds no texts")
    wrong = next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
    if wrong is not None:
        raise InputError(f"all texts must be strings, but number {wrong} is {str(texts[wrong])[:40]} of type "
                         f"{type(texts[wrong]).__name__}: leave it out, or write '' for a text that is missing")
    return texts


def count_ngrams(texts: list[str], longest: int) -> sparse.csr_matrix:
    """How often each n-gram of up to `longest` words is in each text; the columns are the hashes."""

    def grams(text: str) -> Iterator[str]:
        found = words(text)
        return chain(found, *(map(" ".join, zip(*(found[i:] for i in range(n)), strict=False))
                              for n in range(2, longest + 1)))

    # With alternating signs, scikit-learn's default, counts could be negative, and there would be no logarithm of them.
    hasher = FeatureHasher(HASH_BUCKETS, input_type="string", alternate_sign=False, dtype=np.float32)
    return hasher.transform(map(grams, texts))


@dataclass(frozen=True)
class NGrams:
    """The n-grams that are known: `hashes`, in order, and `rarity`, of how few texts each is in.

    `longest`: how many words they have, at most. `length`: how many n-grams of a text are looked at, at most.
    """

    hashes: np.ndarray
    rarity: np.ndarray
    longest: int
    length: int

    @classmethod
    def learned(cls, texts: list[str], longest: int, most: int, length: int) -> tuple["NGrams", Any]:
        """The `most` n-grams that are in the most texts, and the rows of these texts."""
        counts = count_ngrams(texts, longest)
        hashes, count = most_common(counts.indices, most, len(texts))
        rarity = (1 + np.log((1 + len(texts)) / (1 + count))) ** IDF_POWER
        known = cls(hashes, rarity.astype(np.float32), longest, row_length(np.diff(counts.indptr), length))
        return known, known._rows(counts)

    def rows(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of each text's n-grams, and their weights: one row for each, of squares that sum to one.

            w = (1 + log count) · (1 + log((1 + texts) / (1 + texts with it)))^1.5

        What is not known has no weight, nor has what fills a row up. Of a text with too many, the heaviest are kept.
        """
        return self._rows(count_ngrams(texts, self.longest))

    def _rows(self, counts: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        number, is_known = indices_of(self.hashes, counts.indices)
        weight = np.where(is_known, (1 + np.log(counts.data)) * self.rarity[number], 0)
        table = sparse.csr_matrix((weight, number, counts.indptr.copy()), (counts.shape[0], len(self.hashes)))
        table.eliminate_zeros()
        # The lightest of what is too much go; a row at a time, as few texts are so long.
        for row in np.flatnonzero(np.diff(table.indptr) > self.length):
            of_row = table.data[table.indptr[row] : table.indptr[row + 1]]
            of_row[np.argpartition(of_row, -self.length)[: -self.length]] = 0
        table.eliminate_zeros()
        count = np.diff(table.indptr)
        numbers = padded_rows(table.indices, count, self.length, np.int32)
        weights = padded_rows(table.data, count, self.length, np.float32)
        # Rows of length one, so that long texts do not step further than short ones; one without a known n-gram stays
        # 0.
        norm = np.sqrt(np.square(weights).sum(axis=1, keepdims=True))
        return numbers, weights / np.where(norm > 0, norm, 1)


PADDING, UNKNOWN = 0, 1


@dataclass(frozen=True)
class Words:
    """The words that are known, by their `hashes`, in order. `length`: how many of a text are looked at, at most."""

    hashes: np.ndarray
    length: int

    @classmethod
    def learned(cls, texts: list[str], most: int, length: int) -> tuple["Words", Any]:
        """The `most` commonest words, and the rows of these texts."""
        hashes, counts = word_hashes(texts)
        known = cls(most_common(hashes, most, len(texts))[0], row_length(counts, length))
        return known, known._rows(hashes, counts)

    @property
    def kinds(self) -> int:
        """How many different numbers there are in rows."""
        return len(self.hashes) + 2

    def rows(self, texts: list[str]) -> np.ndarray:
        """The first words of each text as numbers: `UNKNOWN` for what is not known, `PADDING` behind the last one."""
        return self._rows(*word_hashes(texts))

    def _rows(self, hashes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        number, is_known = indices_of(self.hashes, hashes)
        return padded_rows(np.where(is_known, number + 2, UNKNOWN), counts, self.length, np.int32)


def word_hashes(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all words in their order, and how many each text has."""
    each = [words(text) for text in texts]
    # Few words make up most of a text.
    of_word = cache(lambda word: murmurhash3_32(word, positive=True))
    counts = np.array([len(found) for found in each])
    return np.fromiter(map(of_word, chain.from_iterable(each)), np.int64, counts.sum()), counts


def most_common(hashes: np.ndarray, most: int, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """The hashes that are there most often, in order, and how often."""
    if not len(hashes):
        raise InputError(f"all {texts} texts are empty: there is not one word to learn from")
    found, counts = np.unique(hashes, return_counts=True)
    # A stable sort, so that of hashes that are equally common the same are known on every machine.
    chosen = np.sort(np.argsort(-counts, kind="stable")[:most])
    return found[chosen], counts[chosen]


def indices_of(known: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the hashes are among those known, and whether they are."""
    number = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return number, known[number] == hashes


def row_length(counts: np.ndarray, longest: int) -> int:
    """How long rows must be to hold nearly all texts, and no longer than is asked for."""
    return int(np.clip(np.percentile(counts, LENGTH_PERCENTILE), 1, longest))


def padded_rows(values: np.ndarray, counts: np.ndarray, length: int, dtype: DTypeLike) -> np.ndarray:
    """A row for each text with its values, of which it has `counts`, as far as they fit, and zeros behind them."""
    row = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    fits = place < length
    table = np.zeros((len(counts), length), dtype)
    table[row[fits], place[fits]] = values[fits]
    return table
