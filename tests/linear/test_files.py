"""Blocks of a file: the features that scikit-learn's FeatureHasher gives, for every format, and clear refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher

from descend._blocks.files import Blocks
from descend.errors import InputError

TABLE = pd.DataFrame({
    "city": ["Rome", "Oslo", None, "Rome", "Bern"],
    "distance": [0.5, 2.0, 1.0, np.nan, -3.0],
    "stops": [0, 1, 2, 1, 0],
    "weekend": [True, False, False, True, True],
    "late": [1, 0, 1, 0, 0],
})


def hashed(table: pd.DataFrame, width: int) -> Any:
    """The same features by FeatureHasher, from names and values of each row."""
    rows = []
    for _, row in table.iterrows():
        pairs: list[tuple[str, float]] = []
        for name, value in row.items():
            if name == "city":
                pairs.append((f"city={value}" if isinstance(value, str) else "city=", 1.0))
            else:
                missing = bool(pd.isna(value))
                pairs.append((f"{name}=" if missing else str(name), 1.0 if missing else float(value)))
        rows.append(pairs)
    return FeatureHasher(width, input_type="pair").transform(rows)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".feather"])
@pytest.mark.parametrize("rows", [2, 100])
@pytest.mark.parametrize("width", [8, 2**18])
def test_blocks_are_what_the_hasher_gives(tmp_path: Path, suffix: str, rows: int, width: int) -> None:
    path = tmp_path / f"flights{suffix}"
    {".parquet": TABLE.to_parquet, ".csv": TABLE.to_csv, ".feather": TABLE.to_feather}[suffix](
        path, **({"index": False} if suffix != ".feather" else {})
    )
    blocks = list(Blocks(path, "late", hashed=width, rows=rows))
    wanted = hashed(TABLE.drop(columns="late"), width)
    assert abs(sparse.vstack([X for X, _ in blocks]) - wanted).max() < 1e-12
    np.testing.assert_array_equal(np.concatenate([y for _, y in blocks]), TABLE["late"])
    assert all(X.shape[0] <= rows for X, _ in blocks)


def test_a_folder_is_one_table_and_is_read_again(tmp_path: Path) -> None:
    for number in range(2):
        TABLE.to_parquet(tmp_path / f"part-{number}.parquet")
    blocks = Blocks(tmp_path, "late")
    for _ in range(2):
        assert sum(X.shape[0] for X, _ in blocks) == 2 * len(TABLE)


def test_dates_are_days_and_dictionaries_categories(tmp_path: Path) -> None:
    dates = pd.to_datetime(["2001-01-01 00:00", "2001-01-03 12:00"])
    table = pd.DataFrame({"date": dates, "city": pd.Categorical(["Rome", "Oslo"])})
    table.to_parquet(tmp_path / "t.parquet")
    (X,) = list(Blocks(tmp_path / "t.parquet"))
    wanted = FeatureHasher(2**18, input_type="pair").transform([
        [("date", 11323.0), ("city=Rome", 1)], [("date", 11325.5), ("city=Oslo", 1)],
    ])
    assert abs(X - wanted).max() < 1e-9


@pytest.mark.parametrize(("make", "target", "words"), [
    (lambda p: None, "late", "there is no file"),
    (lambda p: p.with_suffix(".xlsx").write_text("x"), "late", "blocks are read from"),
    (lambda p: p.write_bytes(b"PAR1 but not for long"), "late", "no readable .parquet"),
    (TABLE.to_parquet, "Late", "has no column 'Late'"),
    (lambda p: TABLE.assign(late=[1, 0, None, 0, 1]).to_parquet(p), "late", "missing values"),
    (lambda p: TABLE.assign(distance=np.inf).to_parquet(p), "late", "column 'distance' has infinite"),
])
def test_bad_files_are_refused(tmp_path: Path, make: Any, target: str, words: str) -> None:
    path = tmp_path / "flights.parquet"
    make(path)
    with pytest.raises(InputError, match=words):
        list(Blocks(path if not path.with_suffix(".xlsx").exists() else path.with_suffix(".xlsx"), target))


def test_a_file_that_ends_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flights.csv"
    path.write_text("city,late\nRome,1\nOslo,0,7,9\n")
    with pytest.raises(InputError, match="read"):
        list(Blocks(path, "late"))


@pytest.mark.parametrize("column", [
    pa.DictionaryArray.from_arrays(pa.array([0, 2**30], pa.int32()), ["a", "b"], safe=False),
    pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 2**30, 2], np.int32)), pa.py_buffer(b"ab")]),
    pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")]),
    pa.array([2**62, 0], pa.timestamp("s")).dictionary_encode(),
], ids=["codes", "offsets", "letters", "dates"])  # fmt: skip
def test_damaged_columns_are_refused(tmp_path: Path, column: Any) -> None:
    feather.write_feather(pa.table({"x": column, "late": [0, 1]}), tmp_path / "t.feather", compression="uncompressed")
    with pytest.raises(InputError, match=r"^'.*t.feather' cannot be read further: .*") as caught:
        list(Blocks(tmp_path / "t.feather", "late"))
    assert "\n" not in str(caught.value)
