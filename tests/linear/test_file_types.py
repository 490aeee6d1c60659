"""What the types of a file's columns mean, in `Blocks`: by formulas of the values that were written."""

import gzip
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from descend.errors import InputError
from descend.linear import Blocks, LogisticRegression, PoissonRegressor, Ridge

MOMENT = datetime(2020, 1, 2, 6, 0, 0, 250_000)  # 18,262 + 1.25 days after 1970 began, and a quarter of a second
DAYS = 18_263.25 + 0.25 / 86_400


def written(path: Path, **columns: Any) -> Path:
    table = pa.table(columns)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        feather.write_feather(table, path, compression="uncompressed")
    return path


def only_feature(blocks: Blocks) -> np.ndarray:
    """The one number of each row; its sign is the hash's."""
    (X,) = list(blocks.features())
    return np.abs(np.asarray(X.sum(axis=1)).ravel())


@pytest.mark.parametrize(("column", "expected"), [
    (pa.array([Decimal("0.25"), Decimal("12.50")], pa.decimal128(38, 2)), [0.25, 12.5]),
    (pa.array([Decimal("0.25"), Decimal("12.50")], pa.decimal256(60, 9)), [0.25, 12.5]),
    (pa.array([0.25, 12.5], pa.float16()), [0.25, 12.5]),
    (pa.array([timedelta(seconds=1.5), timedelta(days=2)], pa.duration("us")), [1.5, 172_800]),
    (pa.array([3, 10**12], pa.int64()).cast(pa.duration("ns")), [3e-9, 1000]),
    (pa.array([time(1, 0, 0, 500_000), time(23, 59, 59)], pa.time64("us")), [3600.5, 86_399]),
    (pa.array([time(1), time(23, 59, 59)], pa.time32("s")), [3600, 86_399]),
    (pa.array([MOMENT, datetime(1970, 1, 2)], pa.timestamp("ms")), [DAYS, 1]),
    (pa.array([MOMENT, datetime(1970, 1, 2)], pa.timestamp("ns", tz="UTC")), [DAYS, 1]),
    (pa.array([date(2020, 1, 2), date(1970, 1, 2)], pa.date32()), [18_263, 1]),
    (pa.array([date(2020, 1, 2), date(1970, 1, 2)], pa.date64()), [18_263, 1]),
    (pa.array([2**60 + 1, 1]), [2**60, 1]),
])
def test_numbers_are_what_their_types_say(tmp_path: Path, column: Any, expected: list[float]) -> None:
    blocks = Blocks(written(tmp_path / "t.feather", x=column))
    np.testing.assert_allclose(only_feature(blocks), expected, rtol=1e-15)


def test_a_missing_decimal_is_a_level(tmp_path: Path) -> None:
    column = pa.array([Decimal("2.50"), None])
    (X,) = list(Blocks(written(tmp_path / "t.parquet", x=column)))
    np.testing.assert_array_equal(np.sort(np.abs(X.data[X.data != 0])), [1.0, 2.5])


@pytest.mark.parametrize(("column", "kind"), [
    (pa.array([[1.0], [2.0]]), "list<element: double>"),
    (pa.array([{"a": 1}, {"a": 2}]), "struct<a: int64>"),
    (pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), "map<string, int64"),
    (pa.array([b"text", b"\xff"]), "binary"),
])
def test_what_is_no_number_time_or_word_is_refused(tmp_path: Path, column: Any, kind: str) -> None:
    with pytest.raises(InputError, match="column 'odd' holds " + kind) as caught:
        list(Blocks(written(tmp_path / "t.parquet", odd=column, y=[0, 1]), "y"))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_text_are_words(tmp_path: Path) -> None:
    cities = pa.array(["Rome", "Zürich"])
    (as_bytes,) = list(Blocks(written(tmp_path / "bytes.parquet", city=cities.cast("binary"))))
    (as_text,) = list(Blocks(written(tmp_path / "text.parquet", city=cities)))
    assert abs(as_bytes - as_text).max() == 0


def test_a_model_of_decimals_holds_for_other_rows(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=400).round(2)
    decimals = pa.array([Decimal(f"{value:.2f}") for value in x])
    written(tmp_path / "fit.parquet", x=decimals[:200], y=pa.array([Decimal(f"{3 * v:.2f}") for v in x[:200]]))
    written(tmp_path / "new.parquet", x=decimals[200:], y=3 * x[200:])
    model = Ridge(1e-6).fit(Blocks(tmp_path / "fit.parquet", "y"))
    assert model.score(Blocks(tmp_path / "new.parquet", "y")) > 0.9999


@pytest.fixture
def late(tmp_path: Path) -> Blocks:
    rng = np.random.default_rng(1)
    x = rng.normal(size=90)
    text = "x,late\n" + "".join(f"{value},{int(value + rng.normal() > 0)}\n" for value in x)
    (tmp_path / "late.csv.gz").write_bytes(gzip.compress(text.encode()))
    return Blocks(tmp_path / "late.csv.gz", "late", hashed=16, rows=40)


@pytest.mark.parametrize("model", [LogisticRegression(), Ridge(), PoissonRegressor()])
def test_predictions_for_a_file_are_those_of_its_rows(late: Blocks, model: Any) -> None:
    rows, y = next(iter(Blocks(late.path, "late", hashed=16)))
    model.fit(rows, y)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(model, method)(late), getattr(model, method)(rows))
    assert model.score(late) == model.score(rows, y)


def test_rows_without_a_target_are_predicted(tmp_path: Path, late: Blocks) -> None:
    model = LogisticRegression().fit(late)
    lines = gzip.decompress(Path(late.path).read_bytes()).decode().split()
    for name, ends in (("unknown.csv", lambda line: line.split(",")[0] + ","), ("none.csv", lambda line: line[:-2])):
        (tmp_path / name).write_text("\n".join([lines[0] if name == "unknown.csv" else "x", *map(ends, lines[1:])]))
    for blocks in (Blocks(tmp_path / "unknown.csv", "late", 16), Blocks(tmp_path / "none.csv", hashed=16)):
        np.testing.assert_array_equal(model.predict(blocks), model.predict(late))


def test_a_score_needs_one_target(late: Blocks) -> None:
    model = LogisticRegression().fit(late)
    with pytest.raises(InputError, match="no target"):
        model.score(Blocks(late.path, hashed=16))
    with pytest.raises(InputError, match="pass it alone"):
        model.score(late, [1, 0])
    with pytest.raises(InputError, match="y is None"):
        model.score([[0.0] * 16])
    with pytest.raises(InputError, match="no column to predict from"):
        model.predict(Blocks(written(late.path.with_name("y.parquet"), late=[1]), "late"))  # type: ignore[union-attr]


def test_a_folder_may_say_that_it_is_whole(tmp_path: Path) -> None:
    written(tmp_path / "part-0.parquet", x=[1.0, 2.0])
    (tmp_path / "_SUCCESS").touch()
    np.testing.assert_array_equal(only_feature(Blocks(tmp_path)), [1.0, 2.0])
