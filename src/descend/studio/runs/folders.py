"""Which folders there are, and when something in one of them has changed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descend._locks import is_held

# Below a folder that was named: `runs/NAME`, and `sweeps/DATE/NAME`.
DEPTH = 3
MAX_RUNS = 20_000
# What rows are made of; the rest of a folder changes with them.
READ = ("run.json", "metrics.json", "history.parquet", "report.html", "doctor.html")

Stamps = tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True)
class Glance:
    """What a folder looks like from outside: by `files` the time and the size of each of `READ`, `checkpoints` the
    newest time, and whether somebody writes there."""

    files: Stamps
    checkpoints: int
    is_running: bool

    def has(self, name: str) -> bool:
        """Whether there is one of the files that are read."""
        return self.files[READ.index(name)] is not None


def run_folders(root: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The runs' folders in a folder, which may be one itself. Links are not followed: they may lead anywhere."""
    if (root / "run.json").exists():
        yield root
    elif depth:
        for inner in _folders_in(root):
            yield from run_folders(inner, depth - 1)


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries
                          if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False))
    except OSError:
        # It is gone, or closed to us.
        return []


def glance(folder: Path) -> Glance:
    """What a run's folder looks like now."""
    files = tuple(_stamp(folder / name) for name in READ)
    # A trial that waits for its next round is under way as long as its sweep is.
    waits = files[READ.index("metrics.json")] is None and is_held(folder.parent / ".lock")
    running = waits or is_held(folder / ".lock")
    # Of a run that ended, all there is is in the other files.
    is_over = not running and files[READ.index("history.parquet")] is not None
    return Glance(files, 0 if is_over else _newest(folder / "checkpoints"), running)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run's folder, one for each model that is trained in steps."""
    return sorted((folder / "checkpoints").glob("*.safetensors"))


def _newest(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return max((entry.stat().st_mtime_ns for entry in entries), default=0)
    except OSError:
        return 0


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size
