"""What a linear model sees of a text: which words it has, or which runs of letters, the rarer the more.

    w = (1 + log count) · (1 + log((1 + texts) / (1 + texts with it)))^1.5,    rows of length one

N-grams are known by their hashes, and are not stored. Runs of letters lie within words, a blank at each end of a word
counts as a letter: they tell endings, stems and misspelt words, and languages.

Reference: Cavnar and Trenkle (1994), "N-gram-based text categorization".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
from scipy import sparse

from descend._facts import Facts, checked_array, refuse
from descend.errors import CheckpointError, InputError
from descend.neural.hashing import IDF_POWER, count_ngrams, indices_of
from descend.neural.words import WORD_RULE_VERSION

Unit = Literal["words", "letters"]
UNITS: tuple[Unit, ...] = ("words", "letters")
# Of letters in a row; and of a text, how many are looked at.
LONGEST_RUN, LETTERS_READ = 4, 2000
# Those that are in the most texts are known.
MOST_KNOWN = 2**17
BLANK, BETWEEN_TEXTS = ord(" "), 0
# Of a multiplicative hash of 64 bits, from which the upper 31 are taken (Knuth, volume 3, 6.4).
MULTIPLIER, MIXER, KEPT_BITS = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15), 31


@dataclass(frozen=True)
class NGrams:
    """The n-grams that are known: `hashes`, in order, and `rarity`, of how few texts each is in."""

    unit: Unit
    hashes: np.ndarray
    rarity: np.ndarray

    @classmethod
    def learned(cls, texts: list[str], unit: Unit) -> tuple["NGrams", sparse.csr_matrix]:
        """The n-grams of these texts, and the texts' rows.

        **Raises** `InputError` if all texts are empty.
        """
        counts = count(texts, unit)
        if not counts.nnz:
            raise InputError(f"all {len(texts):,} texts are empty: there is not one word to learn from")
        hashes, found = np.unique(counts.indices, return_counts=True)
        # A stable sort, so that of those that are equally common the same are known on every machine.
        chosen = np.sort(np.argsort(-found, kind="stable")[:MOST_KNOWN])
        rarity = (1 + np.log((1 + len(texts)) / (1 + found[chosen]))) ** IDF_POWER
        known = cls(unit, hashes[chosen].astype(np.int64), rarity.astype(np.float64))
        return known, known._weighed(counts)

    def rows(self, texts: list[str]) -> sparse.csr_matrix:
        """The weights of the known n-grams of each text (texts, n-grams)."""
        return self._weighed(count(texts, self.unit))

    def _weighed(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        place, is_known = indices_of(self.hashes, counts.indices)
        weight = np.where(is_known, (1 + np.log(counts.data)) * self.rarity[place], 0.0)
        rows = sparse.csr_matrix((weight, place, counts.indptr.copy()), (counts.shape[0], len(self.hashes)))
        rows.eliminate_zeros()
        norm = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        return sparse.csr_matrix(sparse.diags(1 / np.where(norm > 0, norm, 1)) @ rows)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name."""
        return {"unit": self.unit, "rule": WORD_RULE_VERSION}, {"hashes": self.hashes, "rarity": self.rarity}

    @classmethod
    def from_parts(cls, told: Facts, arrays: Mapping[str, np.ndarray]) -> "NGrams":
        """What `to_parts` took apart.

        **Raises** `CheckpointError` if it is something else, or was told by another rule.
        """
        if not told.has("rule") or told.any("rule") != WORD_RULE_VERSION:
            raise CheckpointError(f"{told.where} knows words that were told by another rule than this version of "
                                  "descend has: train again")
        hashes = arrays.get("hashes")
        if hashes is None or hashes.ndim != 1 or hashes.dtype != np.int64 or not len(hashes):
            refuse(told.where, "hashes", "whole numbers", None if hashes is None else (hashes.dtype, hashes.shape))
        if hashes[0] < 0 or not (hashes[1:] > hashes[:-1]).all():
            refuse(told.where, "hashes", "rising", hashes)
        return cls(told.choice("unit", UNITS), hashes, checked_array(arrays, "rarity", told.where, hashes.shape, "f"))


def count(texts: list[str], unit: Unit) -> sparse.csr_matrix:
    """How often each n-gram is in each text; the columns are the hashes."""
    return count_ngrams(texts, 1) if unit == "words" else _count_runs(texts)


def _count_runs(texts: list[str]) -> sparse.csr_matrix:
    letters = [letters_of(text) for text in texts]
    # Text by text in blocks, as all runs of many long texts are more than the memory holds.
    blocks = [_count_block(letters[start : start + 1000]) for start in range(0, len(letters), 1000)]
    return sparse.csr_matrix(sparse.vstack(blocks))


def letters_of(text: str) -> np.ndarray:
    """The letters of a text as numbers, composed and without case, words apart by a blank."""
    plain = " ".join(normalize("NFC", text[:LETTERS_READ].casefold()).split())
    ended = f" {plain} \0" if plain else "\0"
    return np.frombuffer(ended.encode("utf-32-le", "surrogatepass"), np.uint32)


def _count_block(letters: list[np.ndarray]) -> sparse.csr_matrix:
    row = np.repeat(np.arange(len(letters)), [len(each) for each in letters])
    found = [(row[places], hashes) for places, hashes in runs(np.concatenate(letters))]
    rows, hashes = (np.concatenate(each) for each in zip(*found, strict=True))
    # A number for each pair of a text and a hash: to sort numbers is faster than to sort pairs.
    pairs, counts = np.unique((rows.astype(np.int64) << KEPT_BITS) | hashes, return_counts=True)
    begins = np.searchsorted(pairs, np.arange(len(letters) + 1, dtype=np.int64) << KEPT_BITS)
    columns = (pairs & (2**KEPT_BITS - 1)).astype(np.int32)
    return sparse.csr_matrix((counts.astype(np.float32), columns, begins), (len(letters), 2**KEPT_BITS - 1))


def runs(letters: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each length, where runs of letters within words begin, and their hashes."""
    found = []
    hashes = np.zeros(len(letters), np.uint64)
    is_within = np.ones(len(letters), bool)
    for length in range(1, LONGEST_RUN + 1):
        last = letters[length - 1 :]
        hashes = hashes[: len(last)] * MULTIPLIER + last + np.uint64(1)
        is_within = is_within[: len(last)] & (last != BETWEEN_TEXTS)
        # A blank may be the first or the last, and not alone.
        kept = is_within & (last != BLANK) if length == 1 else is_within
        places = np.flatnonzero(kept)
        found.append((places, ((hashes[places] * MIXER) >> np.uint64(64 - KEPT_BITS)).astype(np.int64)))
        if length > 1:
            is_within = is_within & (last != BLANK)
    return found
