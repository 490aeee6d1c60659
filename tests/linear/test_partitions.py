"""Rows in partitions: patterns of files, parts of files, and sums that do not depend on who goes through what."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from descend._blocks.shards import SHARD_ROWS, grouped
from descend.errors import InputError
from descend.linear import Blocks, HuberRegressor, LogisticRegression, Ridge
from descend.linear.streaming.places import row_source
from descend.linear.streaming.source import RowSource

ROWS = 600


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"city": rng.choice(["Rome", "Oslo", "Bern"], ROWS), "far": rng.normal(5e3, 1e3, ROWS)})
    z = (table["far"] - 5e3) / 1e3 + (table["city"] == "Rome") + rng.logistic(size=ROWS)
    return table.assign(late=np.where(z > 0, "yes", "no"))


@pytest.fixture
def folder(tmp_path: Path, table: pd.DataFrame) -> Path:
    for number in range(3):
        table[200 * number : 200 * (number + 1)].to_parquet(tmp_path / f"part-{number}.parquet")
    return tmp_path


def test_a_pattern_is_the_files_in_the_order_of_their_names(folder: Path, table: pd.DataFrame) -> None:
    np.testing.assert_array_equal(Blocks(folder / "part-*.parquet", "late").targets(), table["late"])
    np.testing.assert_array_equal(Blocks(str(folder / "part-[12].parquet"), "late").targets(), table["late"][200:])
    np.testing.assert_array_equal(Blocks(f"{folder}/**/part-0.parquet", "late").targets(), table["late"][:200])
    with pytest.raises(InputError, match=r"no file has a name like '.*part-\*.csv': check the pattern"):
        Blocks(folder / "part-*.csv", "late").targets()


@pytest.mark.parametrize(("change", "words"), [
    (lambda part: part.drop(columns="city"), r"part-1.parquet' has no column 'city': the first file has city, far"),
    (lambda part: part.assign(more=1), r"part-1.parquet' alone has a column 'more'"),
    (lambda part: part.assign(far="long"), r"column 'far' holds .*string in '.*part-1.parquet', and double in the"),
])
def test_files_of_one_table_have_the_same_columns(folder: Path, change: Callable[[Any], Any], words: str) -> None:
    change(pd.read_parquet(folder / "part-1.parquet")).to_parquet(folder / "part-1.parquet")
    for given in (folder, folder / "*.parquet"):
        with pytest.raises(InputError, match=words):
            next(iter(Blocks(given, "late")))


def test_row_groups_are_read_for_themselves(tmp_path: Path, table: pd.DataFrame) -> None:
    table.to_parquet(tmp_path / "all.parquet", row_group_size=100)
    blocks = Blocks(tmp_path / "all.parquet", "late", rows=40)
    shards = blocks.table(blocks.encoding, least=150).shards
    assert [sum(len(y) for _, y in shard) for shard in shards] == [200, 200, 200]
    assert parquet.ParquetFile(tmp_path / "all.parquet").num_row_groups == 6
    np.testing.assert_array_equal(np.concatenate([y for shard in shards for _, y in shard]), table["late"])


def test_few_rows_are_read_with_their_neighbours() -> None:
    half = SHARD_ROWS // 2
    assert list(grouped([half, half, 1, half, half, 5, 7])) == [(0, 1), (2, 3, 4), (5, 6)]
    assert list(grouped([10 * half, 1])) == [(0,), (1,)]
    assert list(grouped([])) == []


def backwards(work: Callable[[Any], Any], partitions: Sequence[Any]) -> Iterator[Any]:
    """Each partition twice, the last first, as where one is begun anew; given in their order all the same."""
    found = [(work(partition), work(partition))[1] for partition in reversed(partitions)]
    return reversed(found)


@pytest.mark.parametrize("model", [LogisticRegression(tol=1e-9), LogisticRegression(tol=1e-9, solver="lbfgs")])
def test_who_goes_through_what_changes_no_bit(folder: Path, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = Blocks(folder, "late", hashed=64, rows=90)
    here = model.fit(blocks).coef_
    assert model.stop_reason_.name == "converged"

    @contextmanager
    def elsewhere(X: Any, y: Any, on: Any) -> Iterator[RowSource]:
        with row_source(X, y, on) as source:
            assert len(source.partitions) == 3
            yield replace(source, each=backwards)

    monkeypatch.setattr("descend.linear.estimators.base.row_source", elsewhere)
    np.testing.assert_array_equal(model.fit(blocks).coef_, here)


def test_a_dataframe_in_memory_is_a_table_too(folder: Path, table: pd.DataFrame) -> None:
    whole = Ridge(1e-3).fit(Blocks(table.assign(late=table["late"] == "yes"), "late", hashed=64))
    parts = Ridge(1e-3).fit(Blocks(table.assign(late=table["late"] == "yes")[::-1], "late", hashed=64))
    np.testing.assert_allclose(whole.coef_, parts.coef_, rtol=1e-6, atol=1e-9)
    blocks = Blocks(table, "late", hashed=64)
    file = LogisticRegression(tol=1e-9).fit(Blocks(folder, "late", hashed=64))
    np.testing.assert_array_equal(file.predict(blocks), file.predict(Blocks(folder, "late", hashed=64)))


def test_a_dataframe_that_was_joined_is_the_same_table(table: pd.DataFrame) -> None:
    joined = pd.concat([table[:100], table[100:]])
    pairs = zip(Blocks(joined, "late"), Blocks(table, "late"), strict=True)
    for (mine, late), (theirs, really) in pairs:
        assert (mine != theirs).nnz == 0
        np.testing.assert_array_equal(late, really)


@pytest.mark.parametrize("model", [LogisticRegression(), Ridge(), HuberRegressor()])
def test_rows_in_memory_are_gone_through_here(model: Any) -> None:
    with pytest.raises(InputError, match="X is in memory: leave it out"):
        model.fit(np.eye(4), [0, 1, 0, 1], on="tcp://127.0.0.1:1")
