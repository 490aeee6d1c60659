"""Text as numbers, and back: bytes, characters, or pairs that were merged because they are common."""

import json
import re
from collections.abc import Iterable
from itertools import chain, pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np

from descend._facts import Facts
from descend.errors import InputError
from descend.neural.text_files import FiledText, blocks_of, spread_blocks

# So many are encoded at a time, where a line begins near there.
PIECE_CHARACTERS = 2**16
# So many blocks of a text that is larger than memory say which pairs are common.
PAIR_BLOCKS = 16


@runtime_checkable
class Tokenizer(Protocol):
    """Text as numbers from 0 to `size` − 1, and back."""

    name: str

    @property
    def size(self) -> int:
        """How many different tokens there are."""

    def encode(self, text: bytes) -> np.ndarray:
        """The tokens of a text, in the smallest type of integers that holds them."""

    def decode(self, tokens: np.ndarray) -> str:
        """The text of tokens."""

    def facts(self) -> dict[str, Any]:
        """What `from_facts` makes the same tokenizer of, as JSON can hold it."""


class Bytes:
    """Every byte is a token: of any file in any encoding."""

    name = "bytes"
    size = 256

    def encode(self, text: bytes) -> np.ndarray:
        return np.frombuffer(text, np.uint8)

    def decode(self, tokens: np.ndarray) -> str:
        return bytes(tokens.astype(np.uint8)).decode(errors="replace")

    def facts(self) -> dict[str, Any]:
        return {"name": self.name}


class Characters:
    """Every character that was in a text is a token, in the order of Unicode."""

    name = "characters"

    def __init__(self, alphabet: str):
        self.alphabet = alphabet
        self._points = _code_points(alphabet)

    @classmethod
    def of(cls, blocks: Iterable[bytes]) -> "Characters":
        """The characters of a text, which comes in blocks."""
        known = [np.unique(_code_points(decoded(block))) for block in blocks]
        return cls("".join(map(chr, np.unique(np.concatenate(known)))))

    @property
    def size(self) -> int:
        return len(self.alphabet)

    def encode(self, text: bytes) -> np.ndarray:
        points = _code_points(decoded(text))
        places = np.minimum(np.searchsorted(self._points, points), self.size - 1)
        strange = points[self._points[places] != points]
        if len(strange):
            raise InputError(f"the character {chr(strange[0])!r} is not among the {self.size} that the model knows: "
                             "leave it out, or train with tokenizer='bytes', which knows all")
        return places.astype(smallest_type(self.size))

    def decode(self, tokens: np.ndarray) -> str:
        return "".join(map(chr, self._points[tokens]))

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "alphabet": self.alphabet}


class BytePairs:
    """Bytes, and the common sequences of them that a text has: byte-pair encoding, by the package `tokenizers`.

    Reference: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units",
    arXiv 1508.07909.
    """

    name = "bpe"

    def __init__(self, model: str):
        self._model = model
        self._encoder = _library().Tokenizer.from_str(model)

    @classmethod
    def of(cls, blocks: Iterable[bytes], size: int) -> "BytePairs":
        """The `size` tokens with which a text is short: all bytes, and sequences by how common they are. It comes in
        blocks.
        """
        library = _library()
        encoder = library.Tokenizer(library.models.BPE())
        encoder.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        encoder.decoder = library.decoders.ByteLevel()
        # All bytes from the start, so that there is no text that could not be encoded.
        alphabet = library.pre_tokenizers.ByteLevel.alphabet()
        trainer = library.trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
        encoder.train_from_iterator((piece for block in blocks for piece in _pieces(decoded(block))), trainer)
        return cls(encoder.to_str())

    @property
    def size(self) -> int:
        return self._encoder.get_vocab_size()

    def encode(self, text: bytes) -> np.ndarray:
        parts = self._encoder.encode_batch_fast(_pieces(decoded(text)))
        return np.concatenate([np.zeros(0, int), *(part.ids for part in parts)]).astype(smallest_type(self.size))

    def decode(self, tokens: np.ndarray) -> str:
        return self._encoder.decode(tokens.tolist())

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "model": self._model}


def tokenizer_for(name: str, learnt: bytes | FiledText, held_out: bytes | FiledText, vocabulary: int) -> Tokenizer:
    """A tokenizer by its name, for a text whose end is held out: that may have characters of its own, but does not say
    which pairs are common. `vocabulary` is the size of a tokenizer that can have any. Of a text larger than memory,
    some blocks say which pairs are common.

    **Raises** `InputError` if the text is none that it can read, or there is no such tokenizer.
    """
    if name == Bytes.name:
        return Bytes()
    if name == Characters.name:
        return Characters.of(chain(blocks_of(learnt), blocks_of(held_out)))
    if name == BytePairs.name:
        if vocabulary < Bytes.size + 1:
            raise InputError(f"vocabulary must be more than the {Bytes.size} bytes, but is {vocabulary}")
        return BytePairs.of(spread_blocks(learnt, PAIR_BLOCKS), vocabulary)
    raise InputError(f"tokenizer must be bytes, characters or bpe, but is {name!r}")


def from_facts(facts: Any, where: str = "the saved model") -> Tokenizer:
    """The tokenizer that gave these facts.

    **Raises** `CheckpointError` if none did.
    """
    told = Facts(facts, f"{where}: tokenizer")
    name = told.choice("name", (Bytes.name, Characters.name, BytePairs.name))
    if name == Bytes.name:
        return Bytes()
    if name == BytePairs.name:
        return BytePairs(_byte_pairs_in(told))
    alphabet = told.text("alphabet")
    if not alphabet or "".join(sorted(set(alphabet))) != alphabet:
        told.refuse("alphabet", "different characters in the order of Unicode", alphabet)
    return Characters(alphabet)


def _byte_pairs_in(told: Facts) -> str:
    """The text that byte pairs are made of: its own tokens and merges, and the rest as `BytePairs.of` has it,
    because there may be patterns that take without end to look for."""
    text, wanted = told.text("model"), "byte pairs, as this version of tokenizers writes them"
    # A tokenizer's file may hold patterns of anybody's: all of it but tokens and merges must be what is written here.
    expected = json.loads(BytePairs.of([b"a"], Bytes.size).facts()["model"])
    try:
        found = json.loads(text)
        known, merges = found["model"]["vocab"], found["model"]["merges"]
        expected["model"] |= {"vocab": known, "merges": merges}
        places = known.values()
        numbered = all(type(place) is int for place in places) and sorted(places) == [*range(len(known))]
        merged = all(type(a) is type(b) is str and {a, b, a + b} <= known.keys() for a, b in merges)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        told.refuse("model", wanted, error)
    if not (numbered and merged and found == expected):
        told.refuse("model", wanted, text)
    return text


def smallest_type(size: int) -> Any:
    """The smallest type of integers for so many tokens."""
    return np.uint8 if size <= 2**8 else np.uint16 if size <= 2**16 else np.uint32


def decoded(text: bytes, begin: int = 0) -> str:
    """A text from its bytes, of which the first is at some place in a longer one.

    **Raises** `InputError` if they are not UTF-8, and says where.
    """
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        place = begin + error.start
        raise InputError(f"the text is not UTF-8 (the byte 0x{text[error.start]:02x} at position {place:,}): save it "
                         "as UTF-8, or use the tokenizer bytes, which takes any file") from None


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _pieces(text: str) -> list[str]:
    """The text in pieces that begin with a line, so that all cores have some, and none is too long."""
    starts = [0]
    for line in re.finditer(r"\n(?=\S)", text):
        if line.end() - starts[-1] >= PIECE_CHARACTERS:
            starts.append(line.end())
    return [text[i:j] for i, j in pairwise([*starts, len(text)])]


def _library() -> Any:
    """The package that merges pairs.

    **Raises** `InputError` if it is not installed.
    """
    try:
        import tokenizers  # an extra
    except ImportError:
        raise InputError("the tokenizer bpe needs the package tokenizers: install it with "
                         "`pip install 'descend[text]'`, or use the tokenizer bytes") from None
    return tokenizers
