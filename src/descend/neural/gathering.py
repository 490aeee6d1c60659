"""Files and folders of text as one text, and its end, which is held out to judge by."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descend._text import as_utf8
from descend.errors import InputError
from descend.neural._tokens import Bytes, Tokenizer, decoded
from descend.neural.corpus import Text, read_text
from descend.neural.pictures import listed, shown

Texts = Text | Sequence[Text]
# How far what is held out may be from the share that is wanted, so that no file is on both sides: by this factor.
SHARE_TOLERANCE = 2
# Bytes of a letter in UTF-8, but for its first one.
MAX_BYTES_AFTER_FIRST = 3
LINE_END = b"\n"


@dataclass(frozen=True)
class Corpus:
    """Texts, one after the other: `starts` has the bytes at which all but the first begin. `notes`: what was left out.

    >>> Corpus(b"one two three four", starts=(8, 14)).split(0.2)
    (b'one two three ', b'four')
    """

    text: bytes
    starts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Which text it is."""
        return hashlib.sha256(self.text).hexdigest()

    def split(self, share: float) -> tuple[bytes, bytes]:
        """What is to be learnt, and the end, of some such share, which is held out.

        It begins where a text does, if there is such a place; else one text has its own end held out. Parts from
        anywhere would lie between their neighbours, and be judged by what is nearly known.
        """
        held = int(share * len(self.text))
        whole = [rest for start in self.starts
                 if held <= (rest := len(self.text) - start) * SHARE_TOLERANCE and rest <= held * SHARE_TOLERANCE]
        border = len(self.text) - min(whole, key=lambda rest: abs(rest - held), default=held)
        for _ in range(MAX_BYTES_AFTER_FIRST):
            border -= 0 < border < len(self.text) and self.text[border] & 0b1100_0000 == 0b1000_0000
        return self.text[:border], self.text[border:]


def read_corpus(texts: Texts | Corpus) -> Corpus:
    """A text, or several of them and all that is text in folders.

    Several come in an order that their content decides, so that what is held out is no matter of names, and each but
    the last ends with a line. What comes twice is taken once: it could be learnt, and judged by.

    **Raises** `InputError` where something that is named by itself cannot be read, and where there is no text.
    """
    if isinstance(texts, Corpus):
        return texts
    named = [texts] if isinstance(texts, str | bytes | Path) else list(texts)
    if not named:
        raise InputError("there is no text to read: name a file or a folder")
    gathered = _Gathered()
    for one in named:
        if isinstance(one, Path) and one.is_dir():
            gathered.take_folder(one)
        else:
            gathered.take(read_text(one), str(one) if isinstance(one, Path) else "a text")
    return gathered.corpus()


class _Gathered:
    """Texts by their digests, and what was left out of folders, by the reason."""

    def __init__(self) -> None:
        self._texts: dict[bytes, bytes] = {}
        self._left_out: dict[str, list[Path | str]] = defaultdict(list)

    def take(self, text: bytes, where: Path | str) -> None:
        """A text more, if it is not there yet."""
        digest = hashlib.sha256(text).digest()
        if digest in self._texts:
            self._left_out["the same as another"].append(where)
        self._texts[digest] = text

    def take_folder(self, folder: Path) -> None:
        """The texts of a folder, and of those in it."""
        for path in self._files(folder):
            try:
                raw = as_utf8(path.read_bytes(), str(path))
                raw.decode()
            except OSError:
                self._left_out["not to be read"].append(path)
            except (UnicodeDecodeError, InputError):
                self._left_out["not in Unicode"].append(path)
            else:
                if b"\0" in raw or not raw:
                    self._left_out["no text" if raw else "empty"].append(path)
                else:
                    self.take(raw, path)

    def corpus(self) -> Corpus:
        """All of them.

        **Raises** `InputError` if there are none.
        """
        notes = tuple(f"left out, {reason}: {listed(paths)}" for reason, paths in self._left_out.items())
        if not self._texts:
            raise InputError("; ".join(["there is no text in what was named", *notes]))
        *others, last = (self._texts[digest] for digest in sorted(self._texts))
        parts = [text if text.endswith(LINE_END) else text + LINE_END for text in others]
        starts = tuple(sum(map(len, parts[: i + 1])) for i in range(len(parts)))
        return Corpus(b"".join([*parts, last]), starts, notes)

    def _files(self, folder: Path) -> Iterator[Path]:
        """All files below a folder that are not hidden; links to folders are not followed, as they may lead in circles.

        **Raises** `InputError` if it may not be looked into.
        """
        for where, inner, files in os.walk(folder, onerror=_refuse):
            seen = sorted(inner + files)
            for path in [Path(where, name) for name in seen]:
                if path.name.startswith("."):
                    self._left_out["hidden"].append(path)
                elif path.is_file():
                    yield path
                elif path.is_symlink() or not path.is_dir():
                    self._left_out["a link to a folder, or no file"].append(path)
            # Changed in place: that is how `os.walk` is told where to go on.
            inner[:] = [name for name in seen if name in inner and not name.startswith(".")]


def streams(corpus: Corpus, tokenizer: Tokenizer, share: float, length: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The tokens to learn from, and those that are held out to judge by, if a window of this length fits into them.

    **Raises** `InputError` if there is no window to learn from, and where the tokenizer cannot read the text.
    """
    if tokenizer.name != Bytes.name:
        # As a whole: what is wrong with a part would be told by its place in that.
        decoded(corpus.text)
    learnt, held_out = map(tokenizer.encode, corpus.split(share))
    if len(held_out) > length and len(learnt) >= length + 2:
        return learnt, held_out
    whole = tokenizer.encode(corpus.text)
    if len(held_out) > length or len(whole) < length + 2:
        raise InputError(f"the text has {len(whole)} tokens, but a window of the context and the token after it has "
                         f"{length + 1}: give a longer text, or a shorter context")
    return whole, None


def _refuse(error: OSError) -> None:
    raise InputError(f"{shown(Path(error.filename))} cannot be looked into: {error.strerror or error}") from None
