"""What is opened in a studio: named on the command line, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from descend.errors import InputError


@dataclass(frozen=True)
class Opened:
    """What was named, by the room that shows it. `first`: the room of what was named first; `runs`: folders;
    `data`: what they were trained on, where that lies elsewhere by now."""

    first: str = "race"
    runs: tuple[Path, ...] = ()
    data: tuple[Path, ...] = ()


def opened(named: Sequence[str], data: Sequence[str] = ()) -> Opened:
    """What is named, told apart by what it is; `data`: what runs were trained on.

    **Raises** `InputError` for what is not there, and for what no room shows.
    """
    shown = [(_room_of(path), path) for path in map(Path, named)]
    of = lambda room: tuple(path for other, path in shown if other == room)
    return Opened(shown[0][0], runs=of("runs"), data=tuple(map(Path, data))) if shown else Opened()


def _room_of(path: Path) -> str:
    if path.is_dir():
        return "runs"
    if path.exists():
        raise InputError(f"{path} is no folder: name a folder of runs, or nothing")
    raise InputError(f"there is no {path}: name a folder of runs, or nothing")
