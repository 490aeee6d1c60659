"""How long it takes to begin: importing, and `descend fit sample:digits` from nothing to its report.

The import's peer is `import jax`; that of `descend fit` is scikit-learn's `MLPClassifier` behind a `StandardScaler`
on the same rows, from the start of Python to a held-out score. Cold is as on a new machine, with nothing compiled for
JAX or by Numba, warm with what an earlier run kept; Python's own bytecode is there in both. The first output is the
first line that a user sees; scikit-learn's, with `verbose=True`, is its first epoch. CPU seconds are those of all cores
together: they hang less on what else the machine does. "First fit": of a linear model on standardised columns, after
the imports, where nothing was compiled before.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._rows import Row, alternately

PACKAGES = ("descend", "jax", "scikit-learn")
REPEATS = 5
SCIKIT_LEARN = """
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X, y = load_digits(return_X_y=True)
a, b, c, d = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
network = MLPClassifier((128, 128), max_iter=60, early_stopping=True, verbose=True)
make_pipeline(StandardScaler(), network).fit(a, c).score(b, d)
"""
PEER = "scikit-learn MLPClassifier"
LINEAR = """
import time
from {{package}} import LogisticRegression
from sklearn.datasets import load_{sample}
X, y = load_{sample}(return_X_y=True)
X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)
begin = time.perf_counter()
LogisticRegression().fit(X, y)
print(time.perf_counter() - begin)
"""
Figures = tuple[float, float, float]


def rows() -> Iterator[Row]:
    """All of it in whole processes."""
    importing = [lambda code=code: _run(code) for code in ("import descend", "import jax")]
    yield Row("import descend", "import jax", "time", "s", *alternately(importing, 2 * REPEATS))
    with TemporaryDirectory() as folder:
        contestants: list[Callable[[], Figures]] = [
            _Fit(Path(folder), cold=True), _Fit(Path(folder), cold=False), lambda: _run(SCIKIT_LEARN),
        ]
        for contestant in contestants:
            contestant()  # what is made once: bytecode, Numba's kernels, and programs to be found
        turns = [[contestant() for contestant in contestants] for _ in range(REPEATS)]
    cold, warm, theirs = ([statistics.median(figures) for figures in zip(*runs, strict=True)]
                          for runs in zip(*turns, strict=True))
    for name, ours in (("cold", cold), ("warm", warm)):
        for number, quantity in enumerate(("time", "first output", "CPU time")):
            yield Row(f"fit sample:digits, {name}", PEER, quantity, "s", ours[number], theirs[number])
    for sample in ("breast_cancer", "iris", "digits"):
        yield _first_fit(sample)


def _first_fit(sample: str) -> Row:
    """Of a linear model, in a process that has imported it already, on a machine that has compiled nothing."""
    code = LINEAR.format(sample=sample)

    def seconds(package: str) -> float:
        with TemporaryDirectory() as folder:
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            done = subprocess.run([sys.executable, "-W", "ignore", "-c", code.format(package=package)], check=True,
                                  capture_output=True, text=True, env=environment)
        return float(done.stdout)

    contestants = [lambda package=package: seconds(package) for package in ("descend.linear", "sklearn.linear_model")]
    ours, theirs = (statistics.median(times) for times in zip(
        *([contestant() for contestant in contestants] for _ in range(REPEATS)), strict=True))
    return Row(f"LogisticRegression, {sample}, first fit", "scikit-learn LogisticRegression", "time", "s", ours, theirs)


class _Fit:
    """The demo in a process of its own, with a folder of programs that is empty (`cold`) or was filled before."""

    def __init__(self, folder: Path, cold: bool):
        self._folder, self._cold, self._runs = folder, cold, 0

    def __call__(self) -> Figures:
        self._runs += 1
        out = self._folder / f"run-{self._cold}-{self._runs}"
        programs = self._folder / (f"programs-{self._runs}" if self._cold else "programs")
        arguments = ["fit", "sample:digits", "--target", "target", "--out", str(out)]
        code = f"import sys; sys.argv[1:] = {arguments!r}; from descend.cli import main; main()"
        return _run(code, XDG_CACHE_HOME=str(programs), NUMBA_CACHE_DIR=str(programs / "numba"))


def _run(code: str, **environment: str) -> Figures:
    """Seconds until a process ends, until the first byte of what it prints, and of CPU that it took."""
    kept = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    with subprocess.Popen([sys.executable, "-u", "-W", "ignore", "-c", code], stdout=subprocess.PIPE,
                          env=kept | environment) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first = time.perf_counter() - begin
        process.stdout.read()
    end = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise RuntimeError(f"the process ended with exit code {process.returncode}: {code}")
    return end, first, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
