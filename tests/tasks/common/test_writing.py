"""Files that tables are written to: each is read again as it was."""

import gzip
import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from descend.errors import InputError
from descend.tasks.common.reading import read_table
from descend.tasks.common.writing import WRITERS, check_suffix, write_frame

FRAME = pd.DataFrame({"a": [1.5, np.nan], "b": ["x, y", "ü"], "probability of 1": [0.1 + 0.2, 1e-9]})


@pytest.mark.parametrize("suffix", [*WRITERS, ".csv.gz", ".tsv.bz2", ".json.xz", ".jsonl.zst", ".csv.zip", ".CSV.GZ"])
def test_every_format_is_read_again_as_it_was_written(tmp_path, suffix):
    path = tmp_path / "deep" / f"t{suffix}"
    check_suffix(path)
    write_frame(FRAME, path)
    pd.testing.assert_frame_equal(read_table(path).frame, FRAME)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [path.name]


def test_others_read_it_too(tmp_path):
    for name in ("t.csv.gz", "t.json", "t.jsonl", "t.db", "t.csv.zip"):
        write_frame(FRAME, tmp_path / name)
    assert gzip.decompress((tmp_path / "t.csv.gz").read_bytes()).decode().startswith("a,b,probability of 1")
    records = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert records[0] == {"a": 1.5, "b": "x, y", "probability of 1": pytest.approx(0.3)}
    assert records[1]["a"] is None
    assert [json.loads(line) for line in (tmp_path / "t.jsonl").read_text("utf-8").splitlines()] == records
    assert sqlite3.connect(tmp_path / "t.db").execute("SELECT count(*) FROM predictions").fetchone() == (2,)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv.zip"), FRAME)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="cannot write"):
        write_frame(pd.DataFrame({"a": [1, "x"]}), path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["t", "t.gz", "t.pdf", "csv", ".csv"])
def test_a_name_that_says_nothing_is_refused(name):
    with pytest.raises(InputError, match=r"end its name with \.csv, \.tsv, \.json, .*; behind it, \.gz, .* to pack"):
        check_suffix(Path(name))


@pytest.mark.parametrize("name", ["t.xlsx", "t.ods", "t.XLS"])
def test_workbooks_are_read_alone(name):
    with pytest.raises(InputError, match=r"workbooks are read alone; name a \.csv"):
        check_suffix(Path(name))
