"""Dask's workers beside one process, on files of flights: throughput of a fit, and the most memory of a worker."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import _linear_data as tables
from benchmarks._rows import Row

REPEATS, COPIES = 2, 4


def rows() -> Iterator[Row]:
    """Two workers of one core and one process of two, in turn, on 3 M flights, and on four times as many."""
    from dask.distributed import Client, LocalCluster

    from descend.linear import Blocks

    settings: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with TemporaryDirectory() as folder, LocalCluster(**settings) as cluster, Client(cluster) as client:
        tables.flights_file(Path(folder, "part-0.parquet"))
        memory = []
        for count in (1, COPIES):
            for number in range(1, count):
                shutil.copy(Path(folder, "part-0.parquet"), Path(folder, f"part-{number}.parquet"))
            blocks, total = Blocks(Path(folder, "*.parquet"), "late"), count * tables.FLIGHTS
            here, there = _fastest(blocks, client)
            title = f"{total / 1e6:.0f} M flights, two workers"
            yield Row(title, "one process", "throughput", "rows/s", total / there, total / here)
            memory.append(max(client.run(_most).values()))
        yield Row(title, "a quarter of the rows", "most memory", "MB", memory[1], memory[0])


def _fastest(blocks: Any, client: Any) -> tuple[float, float]:
    """The least seconds of a fit here and by the workers, in turn."""
    from descend.linear import LogisticRegression

    seconds: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for on, found in zip((None, client), seconds, strict=True):
            begin = time.perf_counter()
            LogisticRegression().fit(blocks, on=on)
            found.append(time.perf_counter() - begin)
    return min(seconds[0]), min(seconds[1])


def _most() -> float:
    """The most memory that this process has had, in MB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024
