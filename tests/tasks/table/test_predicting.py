"""Predictions beside a table's columns, and the files they go to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common.predicting import check_suffix, write_frame
from descend.tasks.common.reading import Table, read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.task import fit_table

FRAME = pd.DataFrame({"x": np.arange(40.0), "t": np.arange(40) % 4 // 2})


@pytest.fixture(scope="module")
def model():
    return fit_table(Table(FRAME, "t", "0"), Settings("t", "linear", epochs=1)).model


def test_classes_are_named_as_in_the_target(model):
    out = model.predict_frame(FRAME).frame
    assert list(out) == ["x", "t", "prediction", "probability of 0", "probability of 1"]
    assert set(out["prediction"]) <= {"0", "1"}
    np.testing.assert_array_equal(out["prediction"] == "1", out["probability of 1"] > 0.5)
    assert list(FRAME) == ["x", "t"]


@pytest.mark.parametrize("name", ["prediction", "probability of 1"])
def test_columns_of_the_same_names_are_kept(model, name):
    out = model.predict_frame(FRAME.assign(**{name: -7.0})).frame
    assert (out[name] == -7).all()
    assert list(out)[3:] == ["prediction 2", "probability of 0 2", "probability of 1 2"]
    assert list(model.predict_frame(out).frame)[-3:] == ["prediction 3", "probability of 0 3", "probability of 1 3"]


def test_a_table_that_lacks_columns_is_refused_by_name(model):
    with pytest.raises(InputError, match="lacks the column 'x'"):
        model.predict_frame(FRAME[["t"]])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather"])
def test_every_format_is_read_again_as_it_was_written(tmp_path, suffix):
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x, y", "ü"]})
    write_frame(frame, tmp_path / "deep" / f"t{suffix}")
    pd.testing.assert_frame_equal(read_table(tmp_path / "deep" / f"t{suffix}").frame, frame)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"t{suffix}"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="cannot write"):
        write_frame(pd.DataFrame({"a": [1, "x"]}), path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["t", "t.xls", "t.CSV.gz"])
def test_a_suffix_that_says_nothing_is_refused(name):
    with pytest.raises(InputError, match=r"end its name with \.csv, \.tsv, \.parquet, \.feather"):
        check_suffix(Path(name))
