"""Linear models on a Dask cluster of processes: the bits of one process, whoever dies; predictions; clear ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("dask.dataframe")
pytest.importorskip("distributed")

import dask
import dask.array as da
import dask.dataframe as dd

from descend.errors import InputError, LostError
from descend.linear import Blocks, Lasso, LinearSVC, LogisticRegression, PoissonRegressor, Ridge
from descend.linear.streaming import cluster as module
from distributed import Client, LocalCluster

pytestmark = [pytest.mark.peers, pytest.mark.processes, pytest.mark.filterwarnings("default")]

ROWS, FILES = 3000, 6


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"city": rng.choice(["Rome", "Oslo", "Bern"], ROWS), "far": rng.normal(5e3, 1e3, ROWS),
                          "age": rng.normal(size=ROWS)})
    z = (table["far"] - 5e3) / 1e3 + (table["city"] == "Rome") + rng.logistic(size=ROWS)
    return table.assign(late=np.where(z > 0, "yes", "no"), kind=np.digitize(z, [-1, 1]), z=z,
                        count=rng.poisson(np.exp(z / 4)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Path:
    path = tmp_path_factory.mktemp("rows")
    for target in ("late", "kind", "z", "count"):
        (path / target).mkdir()
        for number, rows in enumerate(np.array_split(np.arange(ROWS), FILES)):
            part = table.iloc[rows][["city", "far", "age", target]]
            part.to_parquet(path / target / f"part-{number}.parquet")
    return path


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with some_workers(2) as (_, client):
        yield client


@contextmanager
def some_workers(count: int) -> Iterator[tuple[LocalCluster, Client]]:
    """A cluster of processes of one thread each, and a client of it."""
    settings = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        yield cluster, client


def blocks_of(folder: Path, target: str) -> Blocks:
    return Blocks(folder / target / "*.parquet", target, hashed=64, rows=200)


@pytest.mark.parametrize(("target", "model"), [
    ("late", LogisticRegression(tol=1e-9)),
    ("late", LinearSVC(tol=1e-9, solver="lbfgs")),
    ("kind", LogisticRegression(tol=1e-9, multi_class="ovr", class_weight="balanced")),
    ("z", Ridge(tol=1e-9)),
    ("count", PoissonRegressor(tol=1e-9, alpha=0.1)),
], ids=lambda value: value if isinstance(value, str) else type(value).__name__)
def test_the_bits_are_those_of_one_process(folder: Path, client: Client, target: str, model: Any) -> None:
    blocks = blocks_of(folder, target)
    here = model.fit(blocks)
    w, b, gap = here.coef_, here.intercept_, here.duality_gap_
    there = model.fit(blocks, on=client)
    np.testing.assert_array_equal(there.coef_, w)
    np.testing.assert_array_equal(there.intercept_, b)
    assert there.stop_reason_.name == "converged"
    assert there.duality_gap_ == gap


def test_an_address_is_enough(folder: Path, client: Client) -> None:
    blocks = blocks_of(folder, "z")
    there = Ridge().fit(blocks, on=client.scheduler.address).coef_
    np.testing.assert_array_equal(there, Ridge().fit(blocks).coef_)
    assert client.status == "running"


def test_workers_killed_in_passes_change_no_bit(folder: Path, client: Client) -> None:
    blocks = blocks_of(folder, "late")
    here = LogisticRegression(tol=1e-9).fit(blocks).coef_
    killed = []
    each = module.Workers.each

    def disturbed(self: Any, work: Callable[[Any], Any], partitions: Any) -> Iterator[Any]:
        for number, found in enumerate(each(self, slowly(work), partitions)):
            yield found
            if number == 1 and len(killed) < 2:
                client.wait_for_workers(2, timeout=120)
                worker = sorted(client.scheduler_info()["workers"])[len(killed) % 2]
                [pid] = client.run(os.getpid, workers=[worker]).values()
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Workers, "each", disturbed)
        there = LogisticRegression(tol=1e-9).fit(blocks, on=client)
    assert len(killed) == 2
    np.testing.assert_array_equal(there.coef_, here)
    assert there.stop_reason_.name == "converged"


def slowly(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Something that takes its time, so that it is under way when its worker is killed."""

    def worked(partition: Any) -> Any:
        time.sleep(0.05)
        return work(partition)

    return worked


@pytest.mark.parametrize("persisted", [False, True])
def test_dataframes_have_the_minimum_of_rows_in_memory(table: pd.DataFrame, client: Client, persisted: bool) -> None:
    frame = dd.from_pandas(table, npartitions=4)
    frame = client.persist(frame) if persisted else frame
    model = LogisticRegression(tol=1e-9).fit(frame[["far", "age"]], frame["late"], on=client)
    there, names = model.coef_, list(model.feature_names_in_)
    np.testing.assert_allclose(there, model.fit(table[["far", "age"]], table["late"]).coef_, rtol=1e-4)
    assert names == ["far", "age"]


def test_arrays_have_the_minimum_of_rows_in_memory(table: pd.DataFrame, client: Client) -> None:
    X, y = table[["far", "age"]].to_numpy(), table["z"].to_numpy()
    lazy = da.from_array(X, chunks=(700, 1)), da.from_array(y, chunks=700)
    here = Ridge(tol=1e-9).fit(X, y).coef_
    for on in (client, None):  # by the client that was made last, if none is named
        np.testing.assert_allclose(Ridge(tol=1e-9).fit(*lazy, on=on).coef_, here, rtol=1e-5)


def test_categories_of_a_dataframe_are_hashed(folder: Path, table: pd.DataFrame, client: Client) -> None:
    frame = dd.from_pandas(table[["city", "far", "age", "late"]], npartitions=4)
    there = LogisticRegression(tol=1e-9).fit(Blocks(frame, "late", hashed=64), on=client)
    here = LogisticRegression(tol=1e-9).fit(blocks_of(folder, "late"))
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-4, atol=1e-6)


def test_predictions_are_lazy_and_go_to_parquet(folder: Path, table: pd.DataFrame, client: Client,
                                                tmp_path: Path) -> None:
    features = table[["city", "far", "age"]]
    frame = dd.from_pandas(features, npartitions=4)
    model = LogisticRegression(tol=1e-9).fit(blocks_of(folder, "late"))
    said = model.predict_proba(Blocks(frame, hashed=64))
    assert isinstance(said, dd.DataFrame)
    said.to_parquet(tmp_path / "out")
    written = pd.read_parquet(tmp_path / "out")
    wanted = model.predict_proba(Blocks(features, hashed=64))
    np.testing.assert_array_equal(written[["no", "yes"]].to_numpy(), wanted)
    labels = model.predict(Blocks(frame, hashed=64))
    assert labels.dtype == labels.compute().dtype
    assert (labels.compute() == model.predict(Blocks(features, hashed=64))).all()
    both = Blocks(dd.from_pandas(table[["city", "far", "age", "late"]], npartitions=3), "late", hashed=64)
    assert model.score(both) == pytest.approx(np.mean(labels.compute() == table["late"]))


def test_predictions_of_columns_and_arrays(table: pd.DataFrame, client: Client) -> None:
    X, y = table[["far", "age"]], table["kind"]
    model = LogisticRegression().fit(X, y)
    frame = dd.from_pandas(X, npartitions=3)
    frame = dd.concat([frame, frame[frame["far"] > 1e9]])  # with partitions that have no rows
    np.testing.assert_array_equal(model.predict(frame).compute(), model.predict(X))
    np.testing.assert_array_equal(model.predict_proba(frame).compute(), model.predict_proba(X))
    plain = LogisticRegression().fit(X.to_numpy(), y)
    array = da.from_array(X.to_numpy(), chunks=(800, 1))
    said = plain.predict_proba(array)
    assert said.shape == (ROWS, 3)
    assert said.chunks[0] == array.chunks[0]
    np.testing.assert_array_equal(said.compute(), plain.predict_proba(X.to_numpy()))
    np.testing.assert_array_equal(plain.predict(array).compute(), plain.predict(X.to_numpy()))
    assert plain.score(array, da.from_array(y.to_numpy(), chunks=800)) == plain.score(X.to_numpy(), y)


# ------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(("make", "words"), [
    (lambda table, frame: (frame[["city", "far"]], frame["z"]), "column 'city' of X holds no numbers"),
    (lambda table, frame: (frame[["far"]], table["z"]), "y is none: divide it as X"),
    (lambda table, frame: (frame["far"], frame["z"]), "X is a Series of Dask: it must be"),
    (lambda table, frame: (da.ones((10, 2), chunks=5), da.ones(10, chunks=2)), "X has 2 partitions and y has 5"),
    (lambda table, frame: (da.ones((10, 2), chunks=5), da.ones(10, chunks=(4, 6))), "has 5 rows in X and 4 in y"),
    (lambda table, frame: (da.full((10, 2), np.nan, chunks=5), da.ones(10, chunks=5)), "missing or not finite"),
    (lambda table, frame: (frame[["far"]], frame["z"].where(frame["z"] > 0)), "of y has missing values"),
])
def test_collections_that_are_refused(table: pd.DataFrame, client: Client, make: Any, words: str) -> None:
    X, y = make(table, dd.from_pandas(table, npartitions=4))
    with pytest.raises(InputError, match=words) as caught:
        Ridge().fit(X, y, on=client)
    assert "\n" not in str(caught.value)


def test_what_a_fit_to_partitions_does_not_know(table: pd.DataFrame, client: Client) -> None:
    frame = dd.from_pandas(table, npartitions=2)
    with pytest.raises(InputError, match="Lasso as it is set is not fitted to files"):
        Lasso().fit(frame[["far"]], frame["z"], on=client)
    with pytest.raises(InputError, match="sample_weight is given"):
        Ridge().fit(frame[["far"]], frame["z"], frame["age"], on=client)


@pytest.mark.parametrize(("on", "words"), [
    ("tcp://127.0.0.1:1", r"no Dask scheduler answers at on='tcp://127.0.0.1:1' within 1 s: check the address"),
    ("nonsense://x", "no Dask scheduler answers"),
    (8786, "on is 8786: it must be the address"),
])
def test_addresses_where_nobody_is(folder: Path, on: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_CONNECT", 1.0)
    with pytest.raises(InputError, match=words):
        Ridge().fit(blocks_of(folder, "z"), on=on)


def test_a_client_that_is_closed(folder: Path, client: Client) -> None:
    other = Client(client.scheduler.address, set_as_default=False)
    other.close()
    with pytest.raises(InputError, match="on is a client that is closed"):
        Ridge().fit(blocks_of(folder, "z"), on=other)


def test_workers_of_another_version(folder: Path, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_version", lambda: "99.0")
    with pytest.raises(InputError, match=r"the worker at tcp://.* has descend .*, and here is 99.0: install"):
        Ridge().fit(blocks_of(folder, "z"), on=client)


def test_a_shard_that_goes_missing(tmp_path: Path, table: pd.DataFrame, client: Client) -> None:
    frames = np.array_split(np.arange(ROWS), 3)
    for number, rows in enumerate(frames):
        table.iloc[rows][["far", "z"]].to_parquet(tmp_path / f"part-{number}.parquet")
    blocks = Blocks(tmp_path, "z", hashed=64)
    shards = blocks.shards()
    (tmp_path / "part-1.parquet").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Blocks, "shards", lambda self: shards)
        with pytest.raises(InputError, match=r"there is no file '.*part-1.parquet'.*\(on the worker at tcp://"):
            Ridge().fit(blocks, on=client)


def test_a_cluster_without_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_WITHOUT_WORKERS", 1.0)
    with some_workers(0) as (_, client), pytest.raises(LostError, match="has had no running worker for 1 s: start"):
        Ridge().fit(blocks_of(folder, "z"), on=client)


def test_a_scheduler_that_is_killed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "scheduler.json"
    with started("scheduler", "--port", "0", "--host", "127.0.0.1", "--scheduler-file", told) as scheduler:
        address = told_address(told)
        each = module.Workers.each

        def ended(self: Any, work: Any, partitions: Any) -> Iterator[Any]:
            for found in each(self, work, partitions):
                yield found
                scheduler.kill()

        monkeypatch.setattr(module.Workers, "each", ended)
        with (started("worker", address, "--no-nanny", "--nthreads", "1") as worker,
              pytest.raises(LostError, match=r"the Dask scheduler at tcp://.* is gone, or does not answer: start it")):
            Ridge().fit(blocks_of(folder, "z"), on=address)
        assert worker.returncode is not None


def told_address(file: Path) -> str:
    """Where a scheduler says that it is, in a file that may be there before it is written."""
    while True:
        with suppress(OSError, ValueError):
            return str(json.loads(file.read_text())["address"])
        time.sleep(0.05)


@contextmanager
def started(kind: str, *arguments: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or a worker, as its command starts it."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_partition_that_kills_who_goes_through_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = module.Workers.each
    monkeypatch.setattr(module.Workers, "each", lambda self, work, partitions: each(self, ending(work), partitions))
    # A worker ends with all that it has: what went through the partitions before may not have been told yet.
    words = r"2 workers ended that had partition [012], the last at tcp://.*: mostly for want of memory"
    with (dask.config.set({"distributed.scheduler.allowed-failures": 1}), some_workers(1) as (_, client),
          pytest.raises(LostError, match=words)):
        Ridge().fit(blocks_of(folder, "z"), on=client)


def ending(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Something that ends its process, as the system does for want of memory."""

    def worked(partition: Any) -> Any:
        size_and_shard = partition[1] if isinstance(partition, tuple) else partition
        if "part-2" in size_and_shard.file:
            os._exit(137)
        return work(partition)

    return worked
