"""Types that Parquet has and CSV has not are read as what they are: features follow the values written."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from descend.tasks.common.columns import Kind
from descend.tasks.common.reading import read_table
from descend.tasks.common.target import find_target, split_target
from encoders import encoder_of

HUNDREDTHS = np.random.default_rng(0).integers(100, 90_000, 300)
BEGIN, LATER = datetime(2020, 1, 1), datetime(2600, 1, 1)  # nanoseconds since 1970 end in 2262


def table_of(path: Path, **columns: Any) -> Any:
    parquet.write_table(pa.table(columns), path / "t.parquet")
    return read_table(path / "t.parquet")


@pytest.mark.parametrize(("column", "feature", "reason"), [
    (pa.array([Decimal(int(n)) / 100 for n in HUNDREDTHS]), "x", "numbers"),
    (pa.array([Decimal(int(n)) / 100 for n in HUNDREDTHS], pa.decimal256(60, 2)), "x", "numbers"),
    (pa.array(HUNDREDTHS * 10_000).cast(pa.time64("us")), "x", "numbers"),
    (pa.array([timedelta(milliseconds=10 * int(n)) for n in HUNDREDTHS]), "x", "numbers"),
    (pa.array([BEGIN + timedelta(milliseconds=10 * int(n)) for n in HUNDREDTHS]), "x:total_seconds", "dates"),
    (pa.array([LATER + timedelta(milliseconds=10 * int(n)) for n in HUNDREDTHS]), "x:total_seconds", "dates"),
])
def test_features_are_the_standardised_values(tmp_path: Path, column: Any, feature: str, reason: str) -> None:
    frame = table_of(tmp_path, x=column).frame
    encoder = encoder_of(frame)
    assert encoder.columns[0].reason == reason
    found = encoder.transform(frame)[:, encoder.feature_names.index(feature)]
    np.testing.assert_allclose(found, (HUNDREDTHS - HUNDREDTHS.mean()) / HUNDREDTHS.std(), atol=1e-5)


def test_times_in_whole_seconds_stay_whole(tmp_path: Path) -> None:
    feather.write_feather(pa.table({"x": pa.array([3600, 10], pa.time32("s"))}), tmp_path / "t.feather")
    frame = read_table(tmp_path / "t.feather").frame
    assert frame["x"].tolist() == [3600, 10]
    assert frame["x"].dtype == np.int64


def test_missing_decimals_are_missing_numbers(tmp_path: Path) -> None:
    frame = table_of(tmp_path, x=pa.array([Decimal("1.50"), None, Decimal("3.00")])).frame
    encoder = encoder_of(frame)
    assert encoder.columns[0].kind is Kind.number
    assert encoder.feature_names == ["x", "x is missing"]


def test_whole_decimals_name_classes_as_whole_numbers_do(tmp_path: Path) -> None:
    labels = [Decimal("3.00"), Decimal("7.00")] * 20
    split = split_target(table_of(tmp_path, x=list(range(40)), y=labels), "y")
    assert find_target(split.target).classes == ("3", "7")
