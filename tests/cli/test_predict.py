"""`descend predict`: predictions beside the table's own columns."""

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from descend.tasks.common.reading import read_table

READERS = {".csv": pd.read_csv, ".tsv": lambda path: pd.read_csv(path, sep="\t"),
           ".parquet": pd.read_parquet, ".feather": pd.read_feather}


@pytest.mark.parametrize("suffix", READERS)
def test_predictions_stand_beside_the_columns(descend, trained, houses, suffix):
    table = read_table(houses).frame
    price = table.pop("price")
    table.to_parquet("new.parquet")
    said = descend("predict", trained, "new.parquet", "-o", f"new/out{suffix}")
    assert said == (0, f"80 predictions in new/out{suffix}, column 'prediction'\n", "")
    out = READERS[suffix](f"new/out{suffix}")
    assert list(out) == [*table, "prediction"]
    assert np.corrcoef(out["prediction"], price)[0, 1] > 0.8


def test_intervals_are_written_as_low_and_high(descend, trained, houses):
    said = descend("predict", trained, houses, "-o", "out.jsonl.gz", "--interval", 0.9)
    assert said == (0, "80 predictions in out.jsonl.gz, column 'prediction'\n"
                       "not used by the model, and left as they are: price\n", "")
    out = pd.read_json("out.jsonl.gz", lines=True)
    assert ((out["low"] <= out["price"]) & (out["price"] <= out["high"])).mean() > 0.8
    said = descend("predict", trained, houses, "-o", "out.csv", "--interval", 90)
    assert said == (2, "", "descend: the level of intervals must be between 0 and 1, as 0.9 is, but is 90\n")
    assert not Path("out.csv").exists()


def test_the_standard_output_has_the_table_and_nothing_else(descend, trained, houses):
    said = descend("predict", trained, houses, "-o", "-")
    assert (said.code, said.err) == (0, "descend: not used by the model, and left as they are: price\n")
    table = pd.read_csv(StringIO(said.out))
    assert len(table) == 80
    assert descend("predict", trained, houses, "-o", "out.csv", "--quiet").code == 0
    assert said.out == Path("out.csv").read_text("utf-8")
    assert descend("predict", trained, houses, "-o", "-", "--quiet") == (0, said.out, "")


def test_a_workbook_cannot_be_written_and_that_is_said_first(descend):
    said = descend("predict", "nowhere", "nothing.csv", "-o", "out.xlsx")
    assert said.code == 2
    assert said.err == "descend: cannot write out.xlsx: workbooks are read alone; name a .csv, which opens as one\n"


def test_quiet_prints_nothing(descend, trained, houses):
    assert descend("predict", trained, houses, "-o", "out.csv", "--quiet") == (0, "", "")


def test_columns_that_the_model_does_not_know_are_left_and_named(descend, trained, houses):
    table = pd.read_csv(houses).drop(columns="price").assign(owner="me", year=2000)
    table.to_csv("more.csv", index=False)
    said = descend("predict", trained, "more.csv", "-o", "out.csv")
    assert "not used by the model, and left as they are: owner, year" in said.out
    assert list(pd.read_csv("out.csv")) == [*table, "prediction"]


def test_a_column_called_prediction_is_kept(descend, trained, houses):
    descend("predict", trained, houses, "-o", "once.csv")
    said = descend("predict", trained, "once.csv", "-o", "twice.csv")
    assert "column 'prediction 2'" in said.out
    twice = pd.read_csv("twice.csv")
    assert (twice["prediction"] == twice["prediction 2"]).all()


def test_classes_come_with_their_probabilities(descend):
    assert descend("fit", "sample:iris", "--target", "target", "--model", "linear", "--epochs", 5, "--quiet").code == 0
    assert descend("predict", "runs/iris", "sample:iris", "-o", "out.parquet").code == 0
    out = pd.read_parquet("out.parquet")
    chances = out[[f"probability of {name}" for name in ("setosa", "versicolor", "virginica")]]
    assert np.allclose(chances.sum(axis=1), 1)
    assert (chances.idxmax(axis=1) == "probability of " + out["prediction"]).all()


def test_what_is_read_and_what_the_run_has_are_not_written_over(descend, trained, houses):
    table = houses.read_bytes()
    Path("link.csv").symlink_to(houses)
    for out in (houses, "link.csv"):
        said = descend("predict", trained, houses, "-o", out)
        assert said == (2, "", f"descend: {out} is the table to predict from: name another file to write to\n")
    assert houses.read_bytes() == table
    said = descend("predict", trained, houses, "-o", trained / "history.parquet")
    assert (said.code, "is a file of the run: name another one" in said.err) == (2, True)
