"""What a benchmark gives: rows, measured alternately with the peer in one process."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PAUSE = 0.03  # seconds; see `alternately`
LOWER = ("us/step", "ms/step", "s", "ms", "evaluations", "loss", "nats", "bits per byte", "programs", "MB",
         "relative", "rank")  # units of which less is better


@dataclass(frozen=True)
class Row:
    """One comparison: a quantity of ours and of a peer's on a workload; `ratio` above 1 says that ours is better."""

    workload: str
    peer: str
    quantity: str
    unit: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Theirs over ours where less is better, ours over theirs where more is."""
        return self.theirs / self.ours if self.unit in LOWER else self.ours / self.theirs


def as_records(rows: Sequence[Row], packages: Sequence[str]) -> list[dict[str, Any]]:
    """The rows for JSON, each with the versions and the number of cores that it was measured with."""
    versions = {"python": platform.python_version()} | {name: _version(name) for name in packages}
    return [asdict(row) | {"ratio": row.ratio, "versions": versions, "cores": os.cpu_count()} for row in rows]


def alternately(contestants: Sequence[Callable[[], Any]], repeats: int, pause: float = 0.0) -> list[float]:
    """The median seconds of each contestant, run in turn, so that a drifting machine is fair to all.

    Each runs once before, to compile. Where threads of different libraries meet, a `pause` of some hundredths of a
    second before each turn lets those of the last one sleep, which spin a while for more work and keep a core from the
    next; a run that is not counted comes after the pause, so that each is measured with its own threads and data awake.
    """
    times: list[list[float]] = [[] for _ in contestants]
    for contestant in contestants:
        contestant()
    for _ in range(repeats):
        for contestant, seconds in zip(contestants, times, strict=True):
            if pause:
                time.sleep(pause)
                contestant()
            begin = time.perf_counter()
            contestant()
            seconds.append(time.perf_counter() - begin)
    return [statistics.median(seconds) for seconds in times]


def markdown(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a Markdown table."""
    yield "| workload | peer | quantity | unit | ours | theirs | ratio |"
    yield "| --- | --- | --- | --- | ---: | ---: | ---: |"
    yield from map(line, rows)


def line(row: Row) -> str:
    """A row of the table."""
    return (f"| {row.workload} | {row.peer} | {row.quantity} | {row.unit} | {row.ours:.4g} | {row.theirs:.4g} "
            f"| {row.ratio:.2f} |")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
