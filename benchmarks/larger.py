"""Tables and texts larger than memory: peak memory and throughput of fits to files of two sizes.

The tables are folders of Parquet files, and are made here: flights with 16 numbers that do not compress and five
categories of 656 levels together, in row groups of 131,072 rows, four to a file. Reading is one pass over `Blocks`, to
hashed features. `LogisticRegression` is fitted to its certificate, in as many passes as that takes. `MLPClassifier`
learns for an epoch, by Adam, after the look that it takes over the table first. `descend fit` trains both, for an
epoch, chooses and reports. "Throughput" are the rows of the table over all seconds of the fit, at the second size;
"CPU" are seconds of all threads. "Most memory" is that of a process of its own, at its height, all that it imports
included; it is flat if both sizes have as much. Others used the cores as well, so that seconds on the wall are too many
for all.

The texts are files of words that are drawn by Zipf's law. `LanguageModel` makes 200 steps in `descend lm`'s small size,
of bytes. "Reading windows" draws the batches of a hundred times as many, and makes none: "throughput" is in tokens.
`python -m benchmarks.larger 10` makes and measures 10 GB of both.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import dataset, parquet

from benchmarks._rows import Row

WORDS, STEPS, DRAWS = 20_000, 200, 20_000
PACKAGES = ("descend", "jax", "numpy", "pyarrow", "scikit-learn")
SIZES = (0.3, 1.2)
GROUP, GROUPS = 2**17, 4
NUMBERS = 16
LEVELS = {"origin": 300, "destination": 300, "carrier": 20, "month": 12, "hour": 24}


def rows() -> Iterator[Row]:
    """Reading alone, then fits."""
    found = [measures(size) for size in SIZES]
    for way, large in found[1].items():
        small, alone = found[0][way], READING[way]
        reading, much = found[1][alone], f"{large['count'] / 1e6:.1f} M rows, " if way in WAYS else ""
        title = f"{way}, {much}{SIZES[1]} GB"
        yield Row(title, f"{SIZES[0]} GB", "most memory", "MB", large["most"], small["most"])
        unit = "rows/s" if way in WAYS else "tokens/s"
        yield Row(title, alone, "throughput", unit, *(each["count"] / each["seconds"] for each in (large, reading)))
        yield Row(title, alone, "CPU", "s", large["cpu"], reading["cpu"])


def measures(gigabytes: float) -> dict[str, dict[str, float]]:
    """What each way of going through a table, or a text, of this size takes."""
    with TemporaryDirectory() as folder:
        make(Path(folder), gigabytes)
        of_tables = {way: _measured(way, folder) for way in WAYS}
    with TemporaryDirectory() as folder:
        make_text(Path(folder, "text.txt"), gigabytes)
        return of_tables | {way: _measured(way, folder) for way in TEXT_WAYS}


def make(folder: Path, gigabytes: float) -> None:
    """Files of so many bytes together."""
    rng, number = np.random.default_rng(0), 0
    effects = {name: rng.normal(size=levels) for name, levels in LEVELS.items()}
    while sum(file.stat().st_size for file in folder.iterdir()) < gigabytes * 1e9:
        with parquet.ParquetWriter(folder / f"part-{number:04}.parquet", _group(rng, effects).schema) as file:
            for _ in range(GROUPS):
                file.write_table(_group(rng, effects))
        number += 1


def _group(rng: np.random.Generator, effects: dict[str, np.ndarray]) -> pa.Table:
    """Rows of a row group: a late flight depends on levels, and on a product of two numbers."""
    numbers = rng.normal(size=(NUMBERS, GROUP))
    levels = {name: rng.integers(0, count, GROUP) for name, count in LEVELS.items()}
    z = sum(effects[name][which] for name, which in levels.items()) / 2 + numbers[0] * numbers[1] + numbers[2]
    words = {name: pa.DictionaryArray.from_arrays(which, [f"{name[:3]}{i}" for i in range(LEVELS[name])]).cast("string")
             for name, which in levels.items()}
    late = (z + rng.logistic(size=GROUP) > 1).astype(int)
    return pa.table(words | {f"number {i}": 1000.0 + 50 * x for i, x in enumerate(numbers)} | {"late": late})


def make_text(path: Path, gigabytes: float) -> None:
    """A text of so many bytes: lines of twelve words each."""
    rng, size = np.random.default_rng(0), 0
    lengths = rng.integers(1, 10, WORDS)
    words = np.array(["".join(map(chr, rng.integers(97, 123, length))) for length in lengths])
    shares = 1 / np.arange(1, WORDS + 1)
    with path.open("w") as file:
        while size < gigabytes * 1e9:
            drawn = words[rng.choice(WORDS, 120_000, p=shares / shares.sum())]
            size += file.write("\n".join(" ".join(line) for line in drawn.reshape(-1, 12)) + "\n")


def _measured(*arguments: str) -> dict[str, float]:
    """What this module prints as a process of its own."""
    command = [sys.executable, "-m", "benchmarks.larger", *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def _read(blocks: Any) -> None:
    for _ in blocks:
        pass


def _linear(blocks: Any) -> None:
    from descend.linear import LogisticRegression

    LogisticRegression().fit(blocks)


def _network(blocks: Any) -> None:
    from descend import Adam
    from descend.neural import MLPClassifier

    MLPClassifier(optimizer=Adam(0.001), epochs=1, random_state=0).fit(blocks)


def _command(blocks: Any) -> None:
    """`descend fit` of these files, on a machine that is said to have less memory."""
    from descend.cli import main
    from descend.tasks.common import sources

    vars(sources)["_memory"] = lambda: 1
    with TemporaryDirectory() as out:
        sys.argv = ["descend", "fit", str(blocks.path), "--target", "late", "--epochs", "1", "--out", f"{out}/run",
                    "--quiet"]
        try:
            main()
        except SystemExit as end:
            assert not end.code  # noqa: PT017  # no test


def _windows(text: Path) -> None:
    import jax

    source = _language_model()._task_of(text).source
    cursor = source.init(jax.random.key(0))
    for _ in range(DRAWS):
        _, cursor = source.draw(cursor, None)


def _language(text: Path) -> None:
    _language_model().fit(text)


def _language_model() -> Any:
    from descend.neural import LanguageModel

    return LanguageModel(steps=STEPS, random_state=0)


WAYS: dict[str, Callable[[Any], None]] = {"reading": _read, "LogisticRegression": _linear, "MLPClassifier": _network,
                                          "descend fit": _command}
TEXT_WAYS: dict[str, Callable[[Any], None]] = {"reading windows": _windows, "LanguageModel": _language}
# What each is beside.
READING = dict.fromkeys(WAYS, "reading") | dict.fromkeys(TEXT_WAYS, "reading windows")


def _way(name: str, folder: str) -> dict[str, float]:
    from descend.linear import Blocks

    is_text = name in TEXT_WAYS
    given = Path(folder, "text.txt") if is_text else Blocks(Path(folder, "*.parquet"), "late")
    begin, cpu = time.perf_counter(), time.process_time()
    (TEXT_WAYS if is_text else WAYS)[name](given)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    steps = DRAWS if name == "reading windows" else STEPS
    count = steps * math.prod(_language_model().tokens_per_step()) if is_text else dataset.dataset(folder).count_rows()
    return {"count": count, "seconds": seconds, "cpu": cpu, "most": int(status["VmHWM"].split()[0]) / 1024}


if __name__ == "__main__":
    print(json.dumps(_way(*sys.argv[1:]) if len(sys.argv) > 2 else measures(float(sys.argv[1]))))
