"""Text of anybody's: in whatever Unicode it comes, and as it may be shown."""

import codecs
import re

from descend.errors import InputError

# By what a file begins with; that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LONGEST_MARK = max(len(mark) for mark, _ in _MARKS)
# The control characters but for tab and line end, and all that Unicode gives the property Bidi_Control.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def encoding_of(raw: bytes) -> str | None:
    """The encoding that a text says that it is in, if that is UTF-16 or UTF-32, by what it begins with."""
    return next((encoding for mark, encoding in _MARKS if raw.startswith(mark)), None)


def as_utf8(raw: bytes, where: str) -> bytes:
    """The bytes of a text in UTF-8, if they say that they are in UTF-16 or UTF-32; else as they are.

    **Raises** `InputError` if they are not what they say; `where` names them.
    """
    if (encoding := encoding_of(raw)) is None:
        return raw
    try:
        return raw.decode(encoding).encode()
    except UnicodeError as error:
        raise InputError(f"{where} begins as {encoding.upper()} text and breaks off: save it again as UTF-8") from error


def visible(text: str) -> str:
    r"""The text with its control characters written as JSON writes them, so that JSON means the same as before.

    Names of files, columns and classes come from whoever made them. As they are, they could clear a screen, hide what
    was printed before, or set a window's title; and a name could read as another one.

    >>> print(visible("price\x1b[2J"), visible("gpj\u202e.exe"))
    price\u001b[2J gpj\u202e.exe
    """
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


def in_a_line(text: str) -> str:
    r"""The same, with line ends written so, too: for what is named within a line.

    >>> print(in_a_line("a\nb"))
    a\nb
    """
    return visible(text).replace("\n", "\\n")
