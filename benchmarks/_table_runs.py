"""`python -m benchmarks._table_runs METHOD`: run methods on tables and splits, and keep each result, to go on later.

Results are lines of JSON in `table_runs.jsonl` beside this file, or in the one that `DESCEND_TABLE_RUNS` names. What is
there is not run again: lines of a method that has changed are to be deleted. A run that takes too long, or fails, is
kept as such.
"""

import json
import os
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from benchmarks._tables import TABLES, Table, calibration, judging

CPU_LIMIT = 900  # seconds
Key = tuple[str, str, int]
Runs = Mapping[Key, dict[str, Any]]
# Threads that wait for each other must not spin: others may need the core, and it would count as work.
THREADS = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "OPENBLAS_NUM_THREADS": "2"}
# Processes are forked from one that has imported what they need, as that may take longer than a small table.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["benchmarks._table_worker", "benchmarks._table_imports"])


def runs_file() -> Path:
    """Where results are kept."""
    return Path(os.environ.get("DESCEND_TABLE_RUNS", Path(__file__).with_name("table_runs.jsonl")))


def kept(file: Path) -> dict[Key, dict[str, Any]]:
    """The results that there are, the last of each; a line that was cut off when somebody stopped is none."""
    found = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            run = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[key_of(run)] = run
    return found


def key_of(run: Mapping[str, Any]) -> Key:
    """What a result is of."""
    return run["method"], run["table"], run["seed"]


def missing(file: Path, wanted: Iterable[Key]) -> Iterator[Key]:
    """Those that were not yet run, each asked for when its turn comes."""
    for key in wanted:
        if key not in kept(file):
            yield key


def run(key: Key, limit: int = CPU_LIMIT) -> dict[str, Any]:
    """One result, from a process of its own, so that the seconds of all its threads are counted, and can be limited."""
    os.environ.update(THREADS)
    reader, writer = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_work, args=(writer, key, limit))
    process.start()
    writer.close()
    try:
        result: dict[str, Any] = reader.recv()
    except EOFError:  # it was ended by the limit, or for memory
        result = {"failed": f"ended, as after {limit} s of CPU"}
    process.join()
    return dict(zip(("method", "table", "seed"), key, strict=True)) | result


def _work(writer: Connection, key: Key, limit: int) -> None:
    from benchmarks._table_worker import measure

    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    try:
        result = measure(*key)
    except Exception as error:  # whatever a library raises is this method's result
        result = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    writer.send(result)


def keep(file: Path, result: Mapping[str, Any]) -> None:
    """Add a result, as one write."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write(json.dumps(result, ensure_ascii=False) + "\n")


def in_order(methods: Sequence[str], tables: Sequence[Table], seeds: Sequence[int]) -> list[Key]:
    """Seed by seed, method by method, the small tables first."""
    ordered = sorted(tables, key=lambda table: table.rows)
    return [(method, table.name, seed) for seed in seeds for method in methods for table in ordered]


def main(
    methods: Annotated[list[str], typer.Argument(help="Which methods, by name.")],
    half: Annotated[Literal["judging", "calibration"], typer.Option(help="Of which tables.")] = "judging",
    seeds: Annotated[str, typer.Option(help="Of which splits, with commas.")] = "0,1,2",
    most_rows: Annotated[int, typer.Option(help="Leave larger tables out.")] = 400_000,
) -> None:
    """Run what is missing."""
    tables = [table for table in (judging if half == "judging" else calibration)(TABLES) if table.rows <= most_rows]
    for key in missing(runs_file(), in_order(methods, tables, [int(seed) for seed in seeds.split(",")])):
        result = run(key)
        keep(runs_file(), result)
        print(*key, result.get("failed") or f"{result['loss']:.5g} in {result['cpu']:.0f} s", flush=True)


if __name__ == "__main__":
    typer.run(main)
