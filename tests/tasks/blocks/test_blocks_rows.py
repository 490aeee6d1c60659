"""Rows of tables larger than memory: which are learnt from, held out and compared on, and what their targets are."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from descend.errors import InputError
from descend.linear import Blocks
from descend.tasks.blocks import lots
from descend.tasks.blocks.files import GivenRows, SomeRows, TableFiles
from descend.tasks.blocks.lots import SPAN, Lot
from descend.tasks.blocks.prepared import BlocksPrepared
from descend.tasks.blocks.preparing import prepare_blocks
from descend.tasks.blocks.progress import Looking
from descend.tasks.blocks.target import Tally
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import find_target

ROWS = 3000


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "number": np.arange(ROWS),
        "city": rng.choice(["Rome", "Oslo"], ROWS),
        "code": [f"x{i}" for i in range(ROWS)],
        "late": rng.choice(["yes", "no"], ROWS).astype(object),
        "minutes": rng.normal(10, 3, ROWS),
    })
    frame.loc[::50, ["late", "minutes"]] = None
    return frame


TABLE = table()


def written(folder: Path, files: int, kind: str = "parquet", group: int = 250) -> TableFiles:
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(ROWS), files)):
        path, rows = folder / f"part-{number:02}.{kind}", TABLE.iloc[part]
        rows.to_parquet(path, row_group_size=group) if kind == "parquet" else rows.to_csv(path, index=False)
    return TableFiles.of(str(folder))


def prepared(files: TableFiles, target: str = "late", **settings: Any) -> BlocksPrepared:
    return prepare_blocks(files, Settings(target, **settings), lambda _: ())


def numbers(rows: Blocks) -> list[int]:
    """Which rows of the table they are."""
    return [row for shard in rows.shards() for batch in shard.batches() for row in batch.column("number").to_pylist()]


@pytest.mark.parametrize("target", ["late", "minutes"])
def test_each_row_with_a_target_is_learnt_from_or_held_out_or_compared_on(tmp_path: Path, target: str) -> None:
    of = prepared(written(tmp_path / "some", 3), target, hold_out=0.3)
    parts = [numbers(of.blocks), numbers(of.held_out.inputs), numbers(of.compared.inputs)]
    assert sorted(row for part in parts for row in part) == TABLE.index[TABLE[target].notna()].tolist()
    assert [len(part) for part in parts] == [len(of.training), len(of.held_out), len(of.compared)]
    assert len(of.held_out) / ROWS == pytest.approx(0.3, abs=0.03)
    assert len(of.compared) / ROWS == pytest.approx(0.1, abs=0.02)
    assert of.dropped == ROWS / 50


@pytest.mark.parametrize(("files", "kind", "group"), [(1, "parquet", 3000), (5, "parquet", 70), (4, "csv", 0)])
def test_which_rows_these_are_hangs_on_their_numbers_alone(tmp_path: Path, files: int, kind: str, group: int) -> None:
    one, other = prepared(written(tmp_path / "one", 3)), prepared(written(tmp_path / "other", files, kind, group))
    assert numbers(one.held_out.inputs) == numbers(other.held_out.inputs)
    assert numbers(one.blocks) == numbers(other.blocks)
    np.testing.assert_array_equal(one.held_out.targets, other.held_out.targets)
    assert numbers(prepared(written(tmp_path / "again", 3), seed=1).held_out.inputs) != numbers(one.held_out.inputs)
    assert numbers(prepared(TableFiles.of(str(tmp_path / "again")), seed=1, split_seed=0).blocks) == numbers(one.blocks)


def test_few_rows_are_drawn_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "MOST_ROWS", 100)
    of = prepared(written(tmp_path / "some", 3), hold_out=0.5)
    assert 30 < len(of.held_out) <= 100
    assert 30 < len(of.compared) <= 100
    kept = numbers(of.blocks) + numbers(of.held_out.inputs) + numbers(of.compared.inputs)
    assert sorted(kept) == TABLE.index[TABLE["late"].notna()].tolist()


def test_lots_do_not_meet() -> None:
    rows, half = np.arange(100_000), SPAN // 2
    low, high = Lot(3, half).has(rows), Lot(3, half, is_lowest=False).has(rows)
    assert (low ^ high).all()
    assert low.mean() == pytest.approx(0.5, abs=0.01)


def test_targets_are_numbers_of_the_classes(tmp_path: Path) -> None:
    of = prepared(written(tmp_path / "some", 2))
    assert of.target.classes == ("no", "yes")
    truth = TABLE["late"].map({"no": 0, "yes": 1})
    for rows, targets in ((of.blocks, of.blocks.targets()), (of.held_out.inputs, of.held_out.targets)):
        np.testing.assert_array_equal(targets, truth[numbers(rows)])
    every = np.bincount(truth[numbers(of.blocks)].astype(int))
    np.testing.assert_array_equal(of.training.weights, every)  # by which the plainest guess is made


def test_the_mean_of_what_is_learnt_from(tmp_path: Path) -> None:
    of = prepared(written(tmp_path / "some", 2), "minutes")
    assert of.target.kind == "regression"
    assert of.scale.centre == pytest.approx(TABLE["minutes"][numbers(of.blocks)].mean())


def test_identifiers_are_left_out_and_what_somebody_drops(tmp_path: Path) -> None:
    of = prepared(written(tmp_path / "some", 2), drop=("minutes",))
    assert of.blocks.columns == ("number", "city", "late")
    assert "left out: code, a column" in of.notes[1]
    assert of.held_out.inputs.rows_given.column_names == ["number", "city"]


@pytest.mark.parametrize("values", [
    [0, 1] * 40, list(range(21)) * 3, [1.5, 2.5, 3.5] * 9, list("abc") * 5, [True, False] * 5, [1, 2, 3] * 20,
    list(np.repeat(range(8), [90, 80, 60, 40, 20, 9, 4, 2])),
], ids=str)  # fmt: skip
def test_a_target_is_taken_for_what_it_is_in_memory(values: list[Any]) -> None:
    series = pd.Series(values, name="y")
    tally = Tally("y")
    for part in np.array_split(np.arange(len(values)), 3):
        tally.add(pa.array(series.iloc[part]))
    here = find_target(series)
    assert tally.target(None) == here
    codes = tally.codes(here)
    np.testing.assert_array_equal(codes.of(pa.array(series)), here.encode(series))


def test_many_different_numbers_are_measured_and_words_are_refused() -> None:
    tally = Tally("y")
    tally.add(pa.array(np.arange(2000)))
    assert tally.target(None).kind == "regression"
    with pytest.raises(InputError, match="no classes"):
        tally.target("classes")
    with pytest.raises(InputError, match="more than 1,000 different words"):
        Tally("y").add(pa.array([f"word {i}" for i in range(2000)]))
    with pytest.raises(InputError, match="holds dates"):
        Tally("y").add(pa.array(pd.date_range("2024-01-01", periods=9)))


def test_values_that_are_none_are_missing() -> None:
    tally = Tally("y")
    column = pa.array([1.0, float("nan"), None, 3.0, 1.0, 3.0])
    tally.add(column)
    assert tally.rows == 4
    np.testing.assert_array_equal(tally.codes(tally.target(None)).of(column), [0, -1, -1, 1, 0, 1])
    with pytest.raises(InputError, match="infinite"):
        tally.add(pa.array([float("inf")]))


def test_rows_in_memory_are_encoded_as_those_of_files(tmp_path: Path) -> None:
    files = written(tmp_path / "some", 1)
    columns = ("number", "city", "minutes")
    whole = SomeRows("some", files=files, columns=columns)
    given = GivenRows("rows", rows_given=pa.Table.from_pandas(TABLE[list(columns)], preserve_index=False))
    one, other = (sparse.vstack(list(rows.features())) for rows in (whole, given))
    assert (one != other).nnz == 0


def test_what_is_not_read_in_blocks(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InputError, match=r"a\.json' is not read block by block.*\.parquet"):
        TableFiles.of(str(tmp_path / "a.json"))


def in_folders(root: Path, kind: str, *names: str) -> TableFiles:
    """A third of the table in each of three folders."""
    for name, part in zip(names, np.array_split(np.arange(ROWS), 3), strict=True):
        path, rows = root / name / f"part.{kind}", TABLE.iloc[part]
        path.parent.mkdir(parents=True)
        rows.to_parquet(path, row_group_size=250) if kind == "parquet" else rows.to_csv(path, index=False)
    return TableFiles.of(str(root))


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(("names", "values", "type_of"), [
    (["month=1", "month=10", "month=2"], [1, 10, 2], pa.int64()),
    (["month=01", "month=10", "month=2"], ["01", "10", "2"], pa.string()),
    (["month=7", "month=8", "month=__HIVE_DEFAULT_PARTITION__"], [7, 8, None], pa.int64()),
])
def test_what_folders_tell_is_a_column(
    tmp_path: Path, kind: str, names: list[str], values: list[Any], type_of: pa.DataType
) -> None:
    files = in_folders(tmp_path / "flights", kind, *names)
    assert files.schema.field("month").type == type_of
    columns = ("city", "minutes", "month")
    whole = SomeRows("some", files=files, columns=columns)
    months = np.repeat(np.array(values, object), ROWS // 3)
    table = pa.Table.from_pandas(TABLE[["city", "minutes"]], preserve_index=False)
    given = GivenRows("rows", rows_given=table.append_column("month", pa.array(months, type_of)))
    one, other = (sparse.vstack(list(rows.features())) for rows in (whole, given))
    assert (one != other).nnz == 0
    assert [value for shard in whole.shards() for batch in shard.batches(["month"])
            for value in batch.column("month").to_pylist()] == months.tolist()


def test_what_folders_tell_is_in_the_digest_and_may_be_the_target(tmp_path: Path) -> None:
    files = in_folders(tmp_path / "one", "parquet", "month=1/day=1", "month=1/day=2", "month=2/day=1")
    other = in_folders(tmp_path / "other", "parquet", "month=1/day=1", "month=1/day=2", "month=2/day=2")
    assert files.digest != other.digest
    assert files.name == "one"
    found = prepared(files, "month")
    assert found.target.classes == ("1", "2")
    # Numbers of these classes, in the order of the files.
    targets = found.training.inputs.targets()
    assert targets.tolist() == sorted(targets)
    assert np.mean(targets) == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize(("names", "message"), [
    (["month=1", "month=2", "day=2"], r"month=1/part\.parquet' tell month, and those of the first file day"),
    (["city=1", "city=2", "city=3"], "city of flights is a column of the files, and told by their folders"),
])
def test_folders_that_contradict(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _ = in_folders(tmp_path / "flights", "parquet", *names).schema


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    files = written(tmp_path / "some", 2)
    raw = files.paths[1].read_bytes()
    files.paths[1].write_bytes(raw[:100] + bytes(800) + raw[900:])
    with pytest.raises(InputError, match="part-01"):
        prepared(files)


def test_a_look_tells_how_far_it_is_and_ends_with_the_last_row() -> None:
    told: list[tuple[int, int | None, float | None]] = []
    with Looking([lambda progress: told.append((progress.step, progress.steps, progress.eta))], 30) as looking:
        looking(20)
        looking(10)
        looking(99)  # a pass that follows is none of the look
    assert (told[0], told[-1]) == ((0, 30, None), (30, 30, 0.0))
