"""What is opened in a studio: named on the command line, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from descend.errors import InputError


@dataclass(frozen=True)
class Opened:
    """What was named, by the room that shows it. `first`: the room of what was named first; `runs`: folders; `table`: a
    file of one, or `sample:NAME`."""

    first: str = "race"
    runs: tuple[Path, ...] = ()
    table: str | None = None


def opened(named: Sequence[str]) -> Opened:
    """What is named, told apart by what it is.

    **Raises** `InputError` for what is not there, and for what no room shows.
    """
    shown = [(_room_of(path), path) for path in map(Path, named)]
    of = lambda room: tuple(path for other, path in shown if other == room)
    tables = [str(path) for path in of("playground")]
    if len(tables) > 1:
        raise InputError(f"{tables[0]} and {tables[1]} are both tables, and the playground shows one: name one of them")
    return Opened(shown[0][0], runs=of("runs"), table=next(iter(tables), None)) if shown else Opened()


def _room_of(path: Path) -> str:
    if path.is_dir():
        return "runs"
    # Whether it is a table is for its reader to say, which goes by what is in it.
    if path.is_file() or str(path).startswith("sample:"):
        return "playground"
    raise InputError(f"there is no {path}: name a folder of runs, a table such as a CSV file, or nothing")
