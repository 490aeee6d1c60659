"""Sheets of workbooks (xlsx, xlsb, xls, ods), as rows of text: a header is told from rows as it is in other files."""

import io
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow

from descend.errors import InputError, reading
from descend.tasks.common.parts import chosen_part

OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Cells of a sheet that are read. Each takes a hundred bytes for a moment.
MAX_CELLS = 50_000_000


def read_sheet(raw: bytes, where: str, part: str) -> pyarrow.Table:
    """The rows of a workbook's sheet, all of them text.

    **Raises** `InputError` if it is damaged, is too large, or has several sheets and none is asked for.
    """
    # It is needed for workbooks alone.
    from python_calamine import CalamineWorkbook

    with reading(f"{where} is a damaged workbook, save it again"):
        book = CalamineWorkbook.from_filelike(io.BytesIO(raw))
        full = [name for name in book.sheet_names if book.get_sheet_by_name(name).height]
        name = chosen_part(full, part, where, "sheet")
        sheet = book.get_sheet_by_name(name)
        if sheet.height * sheet.width > MAX_CELLS:
            raise InputError(f"{where} has {sheet.height:,} rows of {sheet.width:,} cells, which are more than "
                             f"{MAX_CELLS:,}: save it as CSV")
        columns: list[list[str]] = [[] for _ in range(sheet.width)]
        for row in sheet.iter_rows():
            texts = [_text(cell) for cell in row]
            if any(texts):
                for index, column in enumerate(columns):
                    column.append(texts[index] if index < len(texts) else "")
    arrays = [pyarrow.array(column, pyarrow.string()) for column in columns]
    return pyarrow.table(arrays, names=[f"f{index}" for index in range(len(arrays))])


def _text(cell: Any) -> str:
    """A cell as a text file would have it."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(cell)
