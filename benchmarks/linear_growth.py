"""How linear models grow: time by rows and columns, memory beside the data, bandwidth of a gradient, and streams.

Time: `LogisticRegression().fit` of a planted model, doubled from 10,000 rows to 3 million at 30 columns, and from 10 to
640 columns at 100,000 rows; "exponent" is the slope of log time by log size over a range, 1 being linear. Memory: the
most that a process had, above what it had with the data alone, as a share of the data. Bandwidth: the bytes of the
matrix over the time of one pass that gives loss and gradient, beside copying it (read and written), and beside summing
it up on all cores, which is all that reading it can be. Streams: rows per
second of `partial_fit` in blocks of 10,000 on 3 million flights, and the log-loss after that one pass. Files: the most
memory, and rows per second, of `fit` to a Parquet file of 3 million flights, of which no number is held in memory, and
to ten such files; the same of one pass of `partial_fit`; the log-loss is that on the file. Memory and streams are
measured in processes of their own.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pyarrow import dataset
from scipy import sparse
from sklearn.linear_model import SGDClassifier

from benchmarks import _linear_data as tables
from benchmarks._rows import PAUSE, Row, alternately

PACKAGES = ("descend", "numba", "numpy", "scikit-learn", "vowpalwabbit")
BLOCK = 10_000


def rows() -> Iterator[Row]:
    """Growth, bandwidth, memory, streams."""
    yield from _growth("rows", [(10_000 * 2**k, 30) for k in range(8)] + [(3_000_000, 30)])
    yield from _growth("columns", [(100_000, 10 * 2**k) for k in range(7)])
    yield from _bandwidths()
    for kind in ("dense", "sparse"):
        used = _measured("memory", kind)
        yield Row(f"memory above the data, {kind}", "the data", "most", "MB", used["above"], used["data"])
    yield from _streams()
    yield from _files()


def _growth(name: str, sizes: list[tuple[int, int]]) -> Iterator[Row]:
    from descend.linear import LogisticRegression

    seconds = []
    for shape in sizes:
        X, y = tables.dense_logistic(*shape)
        seconds.append(alternately([partial(LogisticRegression().fit, X, y)], 3)[0])
        yield Row(f"LogisticRegression, {shape[0]:,}×{shape[1]}", "none", "time", "s", seconds[-1], np.nan)
    counts = [shape[0] if name == "rows" else shape[1] for shape in sizes]
    exponent = np.polyfit(np.log(counts), np.log(seconds), 1)[0]
    yield Row(f"LogisticRegression, by {name}", "linear growth", "exponent", "", float(exponent), 1.0)


def _bandwidths() -> Iterator[Row]:
    from descend.linear._kernels.threads import each, parts
    from descend.linear._losses import LOGISTIC, SQUARED, Loss
    from descend.linear.problems.matrix import Matrix, Rows

    X, y = tables.dense_logistic(1_000_000, 50)
    S, late = tables.flights(1_000_000)
    kinds: dict[str, tuple[Any, np.ndarray]] = {
        "rows": (X, y), "columns": (np.asfortranarray(X), y), "float32": (np.float32(X), y), "sparse": (S, late),
    }
    for name, (data, targets) in kinds.items():
        matrix, z = Matrix(data), np.zeros(len(targets))
        side = np.where(targets == 1, 1, -1).astype(np.int8)
        ranks = Rows(side, np.array([1 / len(side)]))
        size = data.nbytes if not matrix.is_sparse else data.data.nbytes + data.indices.nbytes + data.indptr.nbytes
        source, target = np.ones(size // 8), np.empty(size // 8)
        part = lambda start, stop, source=source: (source[start:stop].sum(),)
        read = partial(each, part, parts(source.size, source.size))
        for loss, kind in (("logistic", LOGISTIC), ("squared", SQUARED)):
            sweep = partial(matrix.sweep, np.zeros(matrix.shape[1]), 0.0, Loss(kind), ranks, z,
                            with_dual=False)
            ours, copied, summed = alternately([sweep, partial(np.copyto, target, source), read], 9, PAUSE)
            for peer, passes, seconds in (("copy", 2, copied), ("reading", 1, summed)):
                speed = passes * source.nbytes / seconds / 1e9
                yield Row(f"a gradient, {loss}, {name}", peer, "bandwidth", "GB/s", size / ours / 1e9, speed)


def _streams() -> Iterator[Row]:
    ours = _measured("stream", "descend")
    for peer in ("SGDClassifier.partial_fit", "vowpalwabbit"):
        theirs = _measured("stream", peer)
        yield Row("stream of 3 M flights", peer, "throughput", "rows/s", ours["speed"], theirs["speed"])
        yield Row("stream of 3 M flights", peer, "log-loss", "nats", ours["loss"], theirs["loss"])


def _files() -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        file = Path(folder, "part-0.parquet")
        tables.flights_file(file)
        for number in range(1, 10):
            shutil.copy(file, Path(folder, f"part-{number}.parquet"))
        for way in ("fit", "partial_fit"):
            one, ten = (_measured("file", way, path, file) for path in (file, folder))
            yield Row(f"{way}, files of 30 M flights", "of 3 M", "most memory", "MB", ten["most"], one["most"])
            yield Row(f"{way}, files of 30 M flights", "of 3 M", "throughput", "rows/s", ten["speed"], one["speed"])
            yield Row(f"{way}, files of 30 M flights", "of 3 M", "log-loss", "nats", ten["loss"], one["loss"])


def _measured(*arguments: Any) -> dict[str, float]:
    """What this module prints as a process of its own."""
    command = [sys.executable, "-m", "benchmarks.linear_growth", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _most() -> float:
    """The most memory that this process has had, in MB; `getrusage` would tell of the one that began it, too."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def _memory(kind: str) -> dict[str, float]:
    from descend.linear import LogisticRegression

    small = tables.dense_logistic(50_000, 50) if kind == "dense" else tables.flights(50_000)
    LogisticRegression().fit(*small)  # what is compiled and loaded is no part of it
    X, y = tables.dense_logistic(2_000_000, 50) if kind == "dense" else tables.flights()
    data = X.nbytes if kind == "dense" else X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    filler = np.ones(int(_most() * 2**20 - _now() * 2**20) // 8 + 1)  # as high as making the data had taken it
    before = _now()
    LogisticRegression().fit(X, y)
    del filler
    return {"above": _most() - before, "data": (data + y.nbytes) / 2**20}


def _now() -> float:
    """The memory that it has, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def _file(way: str, path: str, file: str) -> dict[str, float]:
    from descend.linear import Blocks, LogisticRegression

    first = next(iter(Blocks(file, "late")))
    LogisticRegression().fit(*first).partial_fit(*first)  # compiles
    model, rows = LogisticRegression(), dataset.dataset(path).count_rows()
    begin = time.perf_counter()
    if way == "fit":
        model.fit(Blocks(path, "late"))
    else:
        for X, y in Blocks(path, "late"):
            model.partial_fit(X, y, classes=[0, 1])
    seconds, most, loss = time.perf_counter() - begin, _most(), 0.0
    for X, y in Blocks(file, "late"):  # they are in the order of time: some of them would not tell of all
        given = model.predict_proba(X)[:, 1]
        loss -= float(np.log(np.where(y == 1, given, 1 - given)).sum()) / tables.FLIGHTS
    return {"speed": rows / seconds, "most": most, "loss": loss}


def _stream(learner: str) -> dict[str, float]:
    X, y = tables.flights()
    test = X[::20], y[::20]
    X = sparse.csr_matrix(X)  # which scikit-learn's SGD and the others know
    learn, probability = _learner(learner)
    learn(X[:BLOCK], y[:BLOCK])  # compiles; it is seen twice by all
    begin = time.perf_counter()
    for start in range(0, len(y), BLOCK):
        learn(X[start : start + BLOCK], y[start : start + BLOCK])
    seconds = time.perf_counter() - begin
    given = probability(sparse.csr_matrix(test[0]))
    loss = -np.log(np.where(test[1] == 1, given, 1 - given)).mean()
    return {"speed": len(y) / seconds, "most": _most(), "loss": float(loss)}


def _learner(name: str) -> tuple[Callable[[Any, np.ndarray], Any], Callable[[Any], np.ndarray]]:
    if name == "vowpalwabbit":
        return _vowpal()
    from descend.linear import LogisticRegression

    model = LogisticRegression() if name == "descend" else SGDClassifier(loss="log_loss")
    return lambda X, y: model.partial_fit(X, y, classes=[0, 1]), lambda X: model.predict_proba(X)[:, 1]


def _vowpal() -> tuple[Callable[[Any, np.ndarray], Any], Callable[[Any], np.ndarray]]:
    from vowpalwabbit import Workspace

    model = Workspace("--loss_function logistic --link logistic --quiet -b 18")

    def lines(X: Any) -> Iterator[str]:
        for i in range(X.shape[0]):
            part = slice(X.indptr[i], X.indptr[i + 1])
            yield " ".join(f"{j}:{x:.6g}" for j, x in zip(X.indices[part], X.data[part], strict=True))

    def learn(X: Any, y: np.ndarray) -> None:
        for label, line in zip(np.where(y == 1, 1, -1), lines(X), strict=True):
            model.learn(f"{label} | {line}")

    return learn, lambda X: np.array([model.predict(f"| {line}") for line in lines(X)])


if __name__ == "__main__":
    measures: dict[str, Callable[..., dict[str, float]]] = {"memory": _memory, "stream": _stream, "file": _file}
    print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
