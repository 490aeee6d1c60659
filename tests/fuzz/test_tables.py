"""Whatever bytes are read come to a table whose columns can be described, or to a refusal of one line."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from amounts import times
from descend._blocks.files import Blocks
from descend.errors import InputError
from descend.tasks.common.columns import Kind, describe_columns
from descend.tasks.common.reading import read_table
from descend.tasks.table.typed import typed_frame
from fuzz.damaged import FORMATS, damaged_file

SUFFIXES = dict(zip(FORMATS, (".csv", ".parquet", ".feather", ".feather", ".arrow"), strict=True))


def whole(path: Path) -> None:
    frame = read_table(path).frame
    typed_frame(frame, tuple(column for column in describe_columns(frame) if column.kind is not Kind.ignored))


def in_blocks(path: Path) -> None:
    for _ in Blocks(path, hashed=64):
        pass


def outcome(read: Callable[[Path], None], seed: int, folder: Path) -> str:
    path = folder / f"t{SUFFIXES[FORMATS[seed % len(FORMATS)]]}"
    path.write_bytes(damaged_file(seed))
    try:
        read(path)
    except InputError as refusal:
        message = str(refusal)
    else:
        return "read"
    assert "\n" not in message
    return "refused"


@pytest.mark.parametrize("read", [whole, in_blocks])
def test_any_file_is_read_or_refused(read: Callable[[Path], None], tmp_path: Path) -> None:
    found = Counter(outcome(read, seed, tmp_path) for seed in range(100))
    assert min(found["read"], found["refused"]) >= 10  # else the files would try only one way


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_many_files_are_read_or_refused(part: int, tmp_path: Path) -> None:
    for seed in range(1000 + part, 1000 + times(1000), 4):
        for read in (whole, in_blocks):
            outcome(read, seed, tmp_path)
