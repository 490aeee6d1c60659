"""Which files a table in several of them is in: those of a folder, or of a pattern such as `parts/*.parquet`; and what
the folders on the way say of their rows, as in `sales/year=2024/part-0.parquet`."""

import glob
import os
import re
from pathlib import Path
from urllib.parse import unquote

from descend.tasks.common.sources import PACKED, file_and_part, is_passing

# Of files that a folder of tables has.
SUFFIXES = frozenset((".csv", ".tsv", ".tab", ".parquet", ".feather", ".arrow", ".json", ".jsonl", ".ndjson", ".xlsx",
                      ".ods"))
# Begin names that are not to be read, such as _SUCCESS of those that write in parts.
HIDDEN = (".", "_")
# A folder that says what a column is in all of its rows, as Hive, Spark, Dask and Arrow write them.
PARTITION = re.compile("([^=]+)=(.*)")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def files_of(source: str | Path) -> list[Path]:
    """The files of a pattern, or of a folder with nothing but tables, or folders of such that say what a column is, by
    their names; none, if it is neither."""
    text, path = str(source), Path(source).expanduser()
    if path.is_dir():
        return _tables_in(path) or []
    if path.exists() or not glob.has_magic(text) or is_passing(text):
        return []
    found = (Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207  # it may begin anywhere
    return sorted(each for each in found if each.is_file() and not each.name.startswith(HIDDEN))


def paths_of(source: str | Path) -> list[Path]:
    """The files that a source is in, whether they are there or not."""
    return files_of(source) or [file_and_part(source)[0]]


def _tables_in(folder: Path) -> list[Path] | None:
    """The tables of a folder; None, if it has something else."""
    found: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(HIDDEN):
            continue
        # Links to folders are not followed, as they may lead in circles.
        is_folder = entry.is_dir() and not entry.is_symlink()
        if is_folder and PARTITION.fullmatch(entry.name) and (inner := _tables_in(entry)) is not None:
            found += inner
        elif entry.is_file() and _suffix(entry) in SUFFIXES:
            found.append(entry)
        else:
            return None
    return found


def told_by_folders(file: Path, source: str | Path) -> dict[str, str | None]:
    """The columns that the folders between a source and one of its files tell."""
    root = Path(source).expanduser()
    while glob.has_magic(str(root)) and not root.is_dir():
        root = root.parent
    named = (PARTITION.fullmatch(part) for part in file.relative_to(root).parts[:-1])
    return {each[1]: None if each[2] == NO_VALUE else unquote(each[2]) for each in named if each}


def is_pattern(source: str | Path) -> bool:
    """Whether a source names files by a pattern, of which some are there."""
    return not Path(source).expanduser().exists() and bool(files_of(source))


def counted(files: list[Path]) -> str:
    """How many files there are, of several, and which, by their names below the folder that all are in."""
    folder = os.path.commonpath([file.parent for file in files])
    first, last = (file.relative_to(folder).as_posix() for file in (files[0], files[-1]))
    return f"{len(files):,} files, {first} to {last}"


def name_of(source: str | Path) -> str:
    """What to call a table in several files: as the folder that they are in."""
    path = Path(source).expanduser()
    while glob.has_magic(path.name) or PARTITION.fullmatch(path.name):
        path = path.parent
    return path.resolve().name or "table"


def _suffix(path: Path) -> str:
    """The ending that says what a file holds, and not how it is packed."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in PACKED]
    return suffixes[-1] if suffixes else ""
