"""Which encoding a text is in that is no UTF-8, and does not say."""

import codecs
import re

from descend._text import as_utf8
from descend.errors import InputError

WESTERN, CENTRAL = "windows-1252", "windows-1250"
# Of texts whose letters are mostly others than those of English, the encodings that such texts are found in.
CASED, OTHERS = ("cp1251", "koi8_r", "cp1253"), ["cp1255", "cp1256", "cp932", "gb18030", "big5", "cp949"]
# What Polish, Czech and Hungarian letters are, when read as Western ones: marks beside letters.
_MARKS = re.compile("[A-Za-zà-ÿ][¡£¥¯³¹¿¼¾]|[¡£¥¯³¹¿¼¾][a-zà-ÿ]")
_HEAD_BYTES = 1 << 16
_PIECE_BYTES = 1 << 20
# Of a Western text, so many of its letters are in ASCII at the least.
_ASCII_SHARE = 0.6
# Of fewer letters that are not in ASCII, none tells of another script.
_FEW_LETTERS = 8
# Of words in an encoding that is not theirs, few are in one case.
_NATURAL = 0.8
# Of three letters, as one or two may be any.
_LONG_WORD = re.compile(rb"(?=[A-Za-z]*[\x80-\xff])[A-Za-z\x80-\xff]{3,}")


def decoded(raw: bytes, where: str) -> tuple[bytes, str]:
    """A text in UTF-8, and what it was read as, if that had to be guessed, or "".

    **Raises** `InputError` if it is no text.
    """
    raw = as_utf8(raw, where)
    head = raw[:_HEAD_BYTES]
    odd = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    if 0 in head or odd > len(head) / 100:
        raise InputError(f"{where} is not text: expected a CSV file, or a Parquet or Arrow file")
    if _is_utf8(raw):
        return raw, ""
    encoding = _guess(raw)
    try:
        return raw.decode(encoding).encode(), encoding
    except UnicodeDecodeError:
        return raw.decode("latin-1").encode(), "latin-1"


def _is_utf8(raw: bytes) -> bool:
    """Whether that is UTF-8; looked at in pieces, as a text in memory may take four times its bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces = (raw[begin : begin + _PIECE_BYTES] for begin in range(0, len(raw), _PIECE_BYTES))
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _guess(raw: bytes) -> str:
    """The encoding, by the words that need one: of Western ones, few letters do."""
    lines = b"\n".join(line for line in raw[: 1 << 22].split(b"\n") if not line.isascii())[:_HEAD_BYTES]
    words = b" ".join(_LONG_WORD.findall(lines))
    foreign = sum(byte > 127 for byte in words)
    if foreign >= _FEW_LETTERS and foreign > (1 - _ASCII_SHARE) * len(words):
        if natural := _cased(words):
            return natural
        # It takes a tenth of a second to import.
        from charset_normalizer import from_bytes

        best = from_bytes(lines, cp_isolation=OTHERS, enable_fallback=False).best()
        if best is not None:
            return best.encoding
    return CENTRAL if _MARKS.search(lines.decode(WESTERN, errors="ignore")) else WESTERN


def _cased(words: bytes) -> str:
    """The encoding in which words of Cyrillic or Greek letters are in small ones, but for the first; "", if none."""
    shares = {}
    for encoding in CASED:
        found = words.decode(encoding, errors="replace").split()
        natural = [word for word in found if word.isalpha() and (word.islower() or word.istitle() or word.isupper())]
        if len(natural) > _NATURAL * len(found):
            shares[encoding] = sum(map(str.islower, "".join(found)))
    return max(shares, key=lambda encoding: shares[encoding]) if shares else ""
