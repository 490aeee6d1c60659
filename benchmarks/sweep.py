"""`descend sweep` of 64 learning rates beside as many single `descend fit`, as commands, on the digits.

Each trial is a perceptron of 8 epochs. "all to the end" is with `--no-halving`, so that each trial makes all that a
single fit makes. CPU seconds are those of all threads and processes. Compiled programs are on disk already, for both.
Single fits are four, one after the other, and told as 64 of them: times 16. Each also judges and reports, which a sweep
does for its winner alone. "held-out accuracy" is the winner's, and beside it that of all trials taken to their end.
The clock of the last table is that of a machine that did other work at the same time: look at its CPU seconds.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks._rows import Row

PACKAGES = ("descend", "jax", "numpy")
TRIALS, SINGLE_FITS = 64, 4
LOW, HIGH = 0.001, 0.1
FIXED = ("sample:digits", "--target", "target", "--epochs", "8", "--quiet", "--no-insight")
OVER = ("--over", f"learning_rate={LOW}:{HIGH}:log:{TRIALS}")

Spent = tuple[float, float]


def rows() -> Iterator[Row]:
    """The sweep with halving, single fits, and the sweep without."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _single(folder / "warm", 0.01)
        halved = _spent("sweep", *FIXED[:-1], *OVER, "--out", str(folder / "halved"))
        rates = np.geomspace(LOW, HIGH, SINGLE_FITS)
        each = [_single(folder / f"single {number}", float(rate)) for number, rate in enumerate(rates)]
        alone = [TRIALS / SINGLE_FITS * sum(spent) for spent in zip(*each, strict=True)]
        whole = _spent("sweep", *FIXED[:-1], *OVER, "--no-halving", "--out", str(folder / "whole"))
        for what, spent in (("halved", halved), ("all to the end", whole)):
            for quantity, ours, theirs in zip(("time", "time, CPU"), spent, alone, strict=True):
                yield Row(f"{TRIALS} trials, {what}", f"{TRIALS} single fits", quantity, "s", ours, theirs)
        yield Row(f"{TRIALS} trials, halved", "all to the end", "held-out accuracy", "share",
                  _score(folder / "halved"), _score(folder / "whole"))


def _single(out: Path, rate: float) -> Spent:
    return _spent("fit", *FIXED, "--model", "mlp", "--learning-rate", str(rate), "--out", str(out))


def _spent(*words: str) -> Spent:
    """Seconds by the clock, and of the processor, of a command."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "descend", *words], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, cpu


def _score(sweep: Path) -> float:
    return float(json.loads((sweep / "winner" / "metrics.json").read_text())["score"])
