"""Text with a delimiter (CSV, TSV and their kin), read by pyarrow once the delimiter and encoding are found.

All cells are read as they are written: what they mean is told from whole columns.
"""

import csv
import io
import re

import pandas as pd
import pyarrow
from pyarrow import csv as arrow_csv

from descend.errors import InputError
from descend.tasks.common.encodings import decoded
from descend.tasks.common.orange import without_types
from descend.tasks.common.rows import Rows, without_frills

DELIMITERS = (",", "\t", ";", "|")

_HEAD_BYTES = 1 << 16
# Of a header that is longer.
_LONG_HEAD_BYTES = 1 << 24
_PIECE_BYTES, _BLOCK_BYTES = 1 << 20, 1 << 26
# Of a piece: of few rows, what is done for each piece of each of thousands of columns takes longer than to read it.
_PIECE_ROWS = 500
# Of a text that is worth several threads.
_LARGE_BYTES = 1 << 25
_NO_DELIMITER = "\x1f"
# Lines above a header.
_MAX_TITLES = 20
_BLANKS, _WIDE_BLANKS = r"\s+", r"\s{2,}"
_COMMENT = "#"
_NUMERAL = re.compile(r"[-+]?[\d.,]*\d[\d.,]*([eE][-+]?\d+)?")


def read_delimited(raw: bytes, where: str) -> Rows:
    """Reads the bytes of a text table, all cells as text; `where` names them in messages."""
    text, encoding = decoded(raw, where)
    notes = [f"no UTF-8: read as {encoding}"] if encoding else []
    text = without_types(text.removeprefix(b"\xef\xbb\xbf"))
    if not text[:_HEAD_BYTES].strip():
        raise InputError(f"{where} is empty: it has neither a header nor rows")
    text, comments = _without_comments(text)
    delimiter, titles = _laid_out(_head(text))
    if titles:
        text = _without_lines(text, titles)
        notes.append(f"{titles:,} lines above the header are left out")
    if comments:
        notes.append(f"{len(comments):,} lines of comments, which begin with {_COMMENT}, are left out")
    left_out = sorted((*comments, *(_line(number, comments) for number in range(1, titles + 1))))
    is_blank = delimiter in (_BLANKS, _WIDE_BLANKS)
    rows = without_frills(_split_at_blanks(text, delimiter) if is_blank else _split(text, delimiter, where, left_out))
    return rows._replace(notes=(*notes, *rows.notes))


def _head(text: bytes) -> str:
    """The first lines, the header at least."""
    size = _HEAD_BYTES
    while b"\n" not in text[:size].strip() and size < min(len(text), _LONG_HEAD_BYTES):
        size *= 4
    head = text[:size].decode(errors="ignore")
    # The last line may be cut in the middle.
    return head.rpartition("\n")[0] if size < len(text) and "\n" in head else head


def _without_comments(text: bytes) -> tuple[bytes, list[int]]:
    """The text without lines that begin with #, if the first one does, and the numbers of these; the last of those
    above the table may be its header."""
    mark = _COMMENT.encode()
    if not text.lstrip(b"\n").startswith(mark):
        return text, []
    lines = text.splitlines(keepends=True)
    comments = [number for number, line in enumerate(lines, 1) if line.startswith(mark)]
    table = [line for line in lines if not line.startswith(mark)]
    above = lines[: next((index for index, line in enumerate(lines) if line.strip() and not line.startswith(mark)), 0)]
    last = above[-1].lstrip(b"# \t") if above else b""
    if last.strip() and table and _widths(last, table[0]) and not re.match(rb"[-\d.]", last):
        return b"".join([last, *table]), [number for number in comments if number != len(above)]
    return b"".join(table), comments


def _line(row: int, left_out: list[int]) -> int:
    """The line of a file that is the given row of those that are left."""
    for number in left_out:
        row += number <= row
    return row


def _widths(header: bytes, line: bytes) -> bool:
    """Whether two lines have as many values, by any delimiter."""
    first, second = header.decode(errors="ignore").strip(), line.decode(errors="ignore").strip()
    counts = [(len(first.split(mark)), len(second.split(mark))) for mark in (*DELIMITERS, None)]
    return any(one == other > 1 for one, other in counts)


def _without_lines(text: bytes, count: int) -> bytes:
    begin = 0
    for _ in range(count):
        begin = text.find(b"\n", begin) + 1
    return text[begin:]


def _laid_out(head: str) -> tuple[str, int]:
    """The delimiter, and how many lines there are above the header."""
    lines = head.splitlines()
    if (delimiter := find_delimiter(head)) != _NO_DELIMITER:
        return delimiter, 0
    for titles in range(1, min(_MAX_TITLES, len(lines) - 2)):
        below = lines[titles:]
        delimiter = find_delimiter("\n".join(below))
        share, width = _agreement(below, delimiter)
        # A title has no delimiters, and a table of three columns or an empty line tells that it is one.
        is_told = width >= 3 or not lines[titles - 1].strip()
        if share == 1 and is_told and len([line for line in below if line.strip()]) > 2:
            return delimiter, titles
    return _blanks(lines), 0


def find_delimiter(head: str) -> str:
    """The delimiter that splits the header, and the most rows into as many values; none for one column.

    `csv.Sniffer` guesses from letters alone, and finds delimiters in one column of words.
    """
    lines = head.splitlines()
    best = max(DELIMITERS, key=lambda delimiter: _agreement(lines, delimiter))
    return best if _agreement(lines, best) > (0.0, 0) else _NO_DELIMITER


def _agreement(lines: list[str], delimiter: str) -> tuple[float, int]:
    try:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        # A value of 128 KiB, which is a whole line of those that another one divides.
        return 0.0, 0
    if not widths or widths[0] < 2:
        return 0.0, 0
    # Rows may end with a delimiter that the header has not.
    return sum(width in (widths[0], widths[0] + 1) for width in widths) / len(widths), widths[0]


def _blanks(lines: list[str]) -> str:
    """Blanks as a delimiter, if they divide all lines into as many values, of which some are numbers in all rows."""
    full = [line.strip() for line in lines if line.strip()]
    # Words may have blanks between them, numbers have none: so the more of the columns are numbers, the better.
    best = max((_BLANKS, _WIDE_BLANKS), key=lambda delimiter: _share_of_numbers(full, delimiter))
    return best if _share_of_numbers(full, best) > 0 else _NO_DELIMITER


def _share_of_numbers(lines: list[str], delimiter: str) -> float:
    """Of the columns that a delimiter makes of lines, how many are numbers; 0, if it makes not as many of each."""
    rows = [re.split(delimiter, line) for line in lines]
    if len(rows) < 3 or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        return 0.0
    columns = list(zip(*rows[1:], strict=True))
    return sum(all(map(_NUMERAL.fullmatch, column)) for column in columns) / len(columns)


def _split_at_blanks(text: bytes, delimiter: str) -> pyarrow.Table:
    frame = pd.read_csv(io.BytesIO(re.sub(rb"(?m)^[ \t]+", b"", text)), sep=delimiter, header=None, dtype=str,
                        keep_default_na=False, engine="c" if delimiter == _BLANKS else "python")  # fmt: skip
    arrays = [pyarrow.array(frame[name].astype(object), pyarrow.string()) for name in frame.columns]
    return pyarrow.table(arrays, names=[f"f{index}" for index in range(len(arrays))])


def _with_equal_ends(text: bytes, mark: bytes) -> bytes:
    """The text; where its rows end with a delimiter, so does its header."""
    end = text.find(b"\n")
    header, first = text[:end].rstrip(b"\r"), text[end + 1 : text.find(b"\n", end + 1)].rstrip(b"\r")
    if end < 0 or not first.endswith(mark) or header.endswith(mark) or first.count(mark) <= header.count(mark):
        return text
    return header + mark + text[end:]


def _split(text: bytes, delimiter: str, where: str, left_out: list[int]) -> pyarrow.Table:
    text = _with_equal_ends(text, delimiter.encode())
    # A quoted value may hold line ends.
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    width = len(next(csv.reader(_head(text).splitlines(), delimiter=delimiter)))
    names = [f"f{index}" for index in range(width)]
    convert = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False)

    def read(size: int, threads: bool) -> pyarrow.Table:
        options = arrow_csv.ReadOptions(block_size=size, use_threads=threads, autogenerate_column_names=True)
        # The system's own memory goes back to it; what Arrow manages itself is kept for the next table.
        pool = pyarrow.system_memory_pool()
        return arrow_csv.read_csv(pyarrow.BufferReader(text), options, parse, convert, memory_pool=pool)

    try:
        # Small pieces take little memory beside the table, and so do few threads.
        size = min(max(_PIECE_BYTES, _PIECE_ROWS * text.find(b"\n")), _BLOCK_BYTES)
        return read(size, threads=len(text) > _LARGE_BYTES)
    except pyarrow.ArrowInvalid:
        pass
    try:
        # One cell may be longer than such a piece; and only one thread alone knows the row's number.
        return read(_BLOCK_BYTES, threads=False)
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{where} cannot be read as a table: {_explain(error, text, left_out)}") from error


def _explain(error: Exception, text: bytes, left_out: list[int]) -> str:
    found = re.search(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)", str(error))
    if found is None:
        return str(error).splitlines()[0]
    row, expected, got = found.groups()
    if row:
        # Arrow does not count lines that are empty.
        empty = [number for number, line in enumerate(text.splitlines(), 1) if not line]
        row = f"{_line(_line(int(row), empty), left_out):,}"
    line = f"line {row}" if row else "a line"
    return f"{line} has {got} values where the header names {expected}: mend or quote that line"
