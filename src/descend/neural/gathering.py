"""Files and folders of text as one text, and its end, which is held out to judge by."""

import hashlib
import os
from codecs import getincrementaldecoder
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from pathlib import Path

from descend._text import LONGEST_MARK, as_utf8, encoding_of
from descend.errors import InputError
from descend.neural._tokens import Tokenizer, decoded
from descend.neural.corpus import Text, nothing_in, read_text, readable
from descend.neural.filed_tokens import Tokens, encoded
from descend.neural.pictures import listed, shown
from descend.neural.text_files import MAX_BYTES_AFTER_FIRST, FiledText, Held, Part, TextFile, blocks_of

Texts = Text | Sequence[Text]
# How far what is held out may be from the share that is wanted, so that no file is on both sides: by this factor.
SHARE_TOLERANCE = 2
LINE_END = b"\n"
# Texts of more bytes together stay in their files.
HELD_BYTES = 2**28


@dataclass(frozen=True)
class Corpus:
    """Texts, one after the other: `starts` has the bytes at which all but the first begin. `notes`: what was left out.
    Where they are larger than memory, `text` is where they lie.

    >>> Corpus(b"one two three four", starts=(8, 14)).split(0.2)
    (b'one two three ', b'four')
    """

    text: bytes | FiledText
    starts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Which text it is."""
        found = hashlib.sha256()
        for block in blocks_of(self.text):
            found.update(block)
        return found.hexdigest()

    def refuse_other_than_unicode(self) -> None:
        """Look at it as a whole: what is wrong with a part would be told by its place in that.

        **Raises** `InputError` if it is not UTF-8, and says where.
        """
        begin = 0
        for block in blocks_of(self.text):
            decoded(block, begin)
            begin += len(block)

    def split(self, share: float) -> tuple[bytes | FiledText, bytes | FiledText]:
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
            gathered.take_named(one)
    return gathered.corpus()


class _Gathered:
    """Texts by their digests, and what was left out of folders, by the reason. They are in memory as far as there is
    room for them."""

    def __init__(self) -> None:
        self._texts: dict[bytes, Part] = {}
        self._left_out: dict[str, list[Path | str]] = defaultdict(list)
        self._room = HELD_BYTES

    def take_named(self, text: Text) -> None:
        """A text, or that of a file, whatever is in it.

        **Raises** `InputError` if it cannot be read, and if it is empty.
        """
        if not isinstance(text, Path):
            part: Part = self._held(read_text(text))
        else:
            with readable(text):
                part = self._of_file(text)
            if not len(part):
                raise nothing_in(f"'{text}'")
        self._take(part, _looked_at(part)[0], str(text) if isinstance(text, Path) else "a text")

    def take_folder(self, folder: Path) -> None:
        """The texts of a folder, and of those in it."""
        for path in self._files(folder):
            try:
                part = self._of_file(path)
            except OSError:
                self._left_out["not to be read"].append(path)
                continue
            except InputError:
                self._left_out["not in Unicode"].append(path)
                continue
            digest, strange = _looked_at(part)
            if strange:
                self._left_out[strange].append(path)
            else:
                self._take(part, digest, path)

    def corpus(self) -> Corpus:
        """All of them.

        **Raises** `InputError` if there are none.
        """
        notes = tuple(f"left out, {reason}: {listed(paths)}" for reason, paths in self._left_out.items())
        if not self._texts:
            raise InputError("; ".join(["there is no text in what was named", *notes]))
        *others, last = (self._texts[digest] for digest in sorted(self._texts))
        ended = [[text] if text.read(len(text) - 1, 1) == LINE_END else [text, Held(LINE_END)] for text in others]
        parts = [*chain.from_iterable(ended), last]
        starts = tuple(accumulate(sum(map(len, each)) for each in ended))
        filed = FiledText(parts)
        held = all(isinstance(part, Held) for part in parts)
        return Corpus(filed.read(0, len(filed)) if held else filed, starts, notes)

    def _take(self, part: Part, digest: bytes, where: Path | str) -> None:
        """A text more, if it is not there yet."""
        if digest in self._texts:
            self._left_out["the same as another"].append(where)
        self._texts[digest] = part

    def _of_file(self, path: Path) -> Part:
        """The text of a file: in memory, if there is room, and where it is.

        **Raises** `OSError`; and `InputError` for what says that it is in UTF-16 or UTF-32, and is not, or has no room.
        """
        file = TextFile.of(path)
        if len(file) <= self._room:
            return self._held(as_utf8(path.read_bytes(), f"'{path}'"))
        if encoding := encoding_of(file.read(0, LONGEST_MARK)):
            raise InputError(f"'{path}' is in {encoding.upper()}, which is read as a whole, but of more than "
                             f"{HELD_BYTES:,} bytes of text nothing is: save it as UTF-8")
        return file

    def _held(self, text: bytes) -> Held:
        self._room = max(0, self._room - len(text))
        return Held(text)

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


def streams(corpus: Corpus, tokenizer: Tokenizer, share: float, length: int) -> tuple[Tokens, Tokens | None]:
    """The tokens to learn from, and those that are held out to judge by, if a window of this length fits into them.

    **Raises** `InputError` if there is no window to learn from, where the tokenizer cannot read the text, and where
    there is no room for its tokens.
    """
    learnt, held_out = (encoded(tokenizer, part) for part in corpus.split(share))
    if len(held_out) > length and len(learnt) >= length + 2:
        return learnt, held_out
    whole = encoded(tokenizer, corpus.text)
    if len(held_out) > length or len(whole) < length + 2:
        raise InputError(f"the text has {len(whole)} tokens, but a window of the context and the token after it has "
                         f"{length + 1}: give a longer text, or a shorter context")
    return whole, None


def _looked_at(part: Part) -> tuple[bytes, str]:
    """A hash of a text, and why it is none, if so."""
    found, decoder, has_zeros = hashlib.sha256(), getincrementaldecoder("utf-8")(), False
    strange = "" if len(part) else "empty"
    for block in FiledText([part]).blocks():
        found.update(block)
        has_zeros |= b"\0" in block
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            strange = "not in Unicode"
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        strange = "not in Unicode"
    return found.digest(), strange or ("no text" if has_zeros else "")


def _refuse(error: OSError) -> None:
    raise InputError(f"{shown(Path(error.filename))} cannot be looked into: {error.strerror or error}") from None
