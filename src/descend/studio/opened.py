"""What is opened in a studio: named on the command line, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from descend.errors import InputError

SHOWN = "name a folder of runs, a table such as a CSV file, a .py file that defines a loss, or nothing"


@dataclass(frozen=True)
class Opened:
    """What was named, by the room that shows it. `first`: the room of what was named first; `runs`: folders; `own`: a
    file of Python's, or none; `table`: a file of one or `sample:NAME`, or none; `data`: what runs were trained on,
    where that lies elsewhere by now."""

    first: str = "race"
    runs: tuple[Path, ...] = ()
    own: Path | None = None
    data: tuple[Path, ...] = ()
    table: str | None = None


def opened(named: Sequence[str], data: Sequence[str] = ()) -> Opened:
    """What is named, told apart by what it is; `data`: what runs were trained on.

    **Raises** `InputError` for what is not there, and for what no room shows.
    """
    shown = [(_room_of(path), path) for path in map(Path, named)]
    of = lambda room: tuple(path for other, path in shown if other == room)
    for room, what in (("own", "file with a loss"), ("playground", "table")):
        if len(of(room)) > 1:
            raise InputError(f"{', '.join(map(str, of(room)))}: name one {what}, and open others elsewhere")
    for path in map(Path, data):
        if not path.exists():
            raise InputError(f"there is no {path}: name with --data what runs were trained on")
    own, table = (next(iter(of(room)), None) for room in ("own", "playground"))
    name = None if table is None else str(table)
    return Opened(shown[0][0], of("runs"), own, tuple(map(Path, data)), name) if shown else Opened()


def _room_of(path: Path) -> str:
    if path.is_dir():
        return "runs"
    if path.suffix == ".py" and path.is_file():
        return "own"
    # Whether it is a table is for its reader to say, which goes by what is in it.
    if path.is_file() or str(path).startswith("sample:"):
        return "playground"
    raise InputError(f"there is no {path}: {SHOWN}")
