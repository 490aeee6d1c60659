"""Text with a delimiter (CSV, TSV and their kin), read by pyarrow once the delimiter and encoding are found."""

import codecs
import csv
import re

import pyarrow
from pyarrow import csv as arrow_csv

from descend._text import as_utf8
from descend.errors import InputError
from descend.tasks.common.orange import without_types
from descend.tasks.common.parsing import MISSING

DELIMITERS = (",", "\t", ";", "|")

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 24
_PIECE_BYTES = 1 << 20
_NO_DELIMITER = "\x1f"
_NULLS = sorted({spelling for word in MISSING for spelling in (word, word.upper(), word.title())} | {"NaN", "NaT"})


def read_delimited(raw: bytes, where: str) -> pyarrow.Table:
    """Reads the bytes of a text table; `where` names them in messages."""
    text = without_types(_as_utf8(raw, where))
    head = text[:_HEAD_BYTES].decode(errors="ignore").lstrip("\ufeff")
    if not head.strip():
        raise InputError(f"{where} is empty: it has neither a header nor rows")
    delimiter = find_delimiter(head)
    # A quoted value may hold line ends, and one cell may be longer than pyarrow's usual block of 1 MiB.
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = arrow_csv.ConvertOptions(
        null_values=_NULLS, strings_can_be_null=True, decimal_point="," if _has_decimal_comma(head, delimiter) else "."
    )

    def read(threads: bool) -> pyarrow.Table:
        options = arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=threads)
        return arrow_csv.read_csv(pyarrow.BufferReader(text), options, parse, convert)

    try:
        return read(threads=True)
    except pyarrow.ArrowInvalid:
        pass
    try:
        # Only one thread alone knows the row's number.
        return read(threads=False)
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{where} cannot be read as a table: {_explain(error)}") from error


def find_delimiter(head: str) -> str:
    """The delimiter that splits the header, and the most rows into as many values; none for one column.

    `csv.Sniffer` guesses from letters alone, and finds delimiters in one column of words.
    """
    lines = head.splitlines()
    # The last line may be cut in the middle.
    lines = lines[:-1] if len(head) >= _HEAD_BYTES // 4 and len(lines) > 1 else lines
    best = max(DELIMITERS, key=lambda delimiter: _agreement(lines, delimiter))
    return best if _agreement(lines, best) > (0.0, 0) else _NO_DELIMITER


def _agreement(lines: list[str], delimiter: str) -> tuple[float, int]:
    widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    if not widths or widths[0] < 2:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _has_decimal_comma(head: str, delimiter: str) -> bool:
    return delimiter != "," and bool(re.search(r"\d,\d", head)) and not re.search(r"\d\.\d|\d,\d{3}\b", head)


def _as_utf8(raw: bytes, where: str) -> bytes:
    """The text in UTF-8; what is not, and does not say what it is, is taken for Latin-1."""
    raw = as_utf8(raw, where)
    head = raw[:_HEAD_BYTES]
    odd = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    if 0 in head or odd > len(head) / 100:
        raise InputError(f"{where} is not text: expected a CSV file, or a Parquet or Arrow file")
    return raw if _is_utf8(raw) else raw.decode("latin-1").encode()


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


def _explain(error: Exception) -> str:
    found = re.search(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)", str(error))
    if found is None:
        return str(error).splitlines()[0]
    row, expected, got = found.groups()
    line = f"line {int(row):,}" if row else "a line"
    return f"{line} has {got} values where the header names {expected}: mend or quote that line"
