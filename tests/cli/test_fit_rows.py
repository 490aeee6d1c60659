"""`descend fit` with what a person says of rows: weights, groups, times, and a table to score on."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusal import refused
from sklearn.metrics import accuracy_score

from descend.errors import InputError
from descend.tasks.begun import begun

ROWS = 90
BRIEF = ("--model", "linear", "--epochs", "3")


@pytest.fixture
def tables(tmp_path):
    """A table and one to score on, in the folder that commands run in."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "w": rng.integers(0, 4, ROWS), "who": rng.integers(0, 12, ROWS),
                          "when": pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%d")})
    frame["y"] = np.where(frame["a"] + rng.normal(size=ROWS) > 0.3, "yes", "no")
    frame.to_csv("t.csv", index=False)
    frame.assign(a=frame["a"] + 0.1).sample(40, random_state=0).to_csv("new.csv", index=False)
    return frame


@pytest.fixture
def descend_here(descend, tables):
    return lambda *options: descend("fit", "t.csv", "--target", "y", *BRIEF, *options)


def facts(out):
    return json.loads((Path(out) / "metrics.json").read_text())


def test_weights_and_a_test_table(descend_here, descend, tables):
    said = descend_here("--weights", "w", "--test", "new.csv", "--out", "run")
    assert (said.code, said.err) == (0, "")
    words = re.sub(r"\s+", " ", said.out)
    assert "note rows count as w tells, and " in words
    assert "held out are the " in words
    new = pd.read_csv("new.csv")
    scored, learnt = new[new["w"] > 0], tables[tables["w"] > 0]
    told = facts("run")
    assert (told["metric"], told["rows"], told["held_out"]) == ("weighted accuracy", len(scored) + len(learnt),
                                                                len(scored))
    # The model predicts where nobody tells weights.
    scored.drop(columns=["w", "y"]).to_csv("bare.csv", index=False)
    assert descend("predict", "run", "bare.csv", "-o", "out.csv").code == 0
    predicted = pd.read_csv("out.csv")["prediction"]
    score = accuracy_score(scored["y"], predicted, sample_weight=scored["w"])
    assert told["score"] == pytest.approx(score)
    plainest = learnt.groupby("y")["w"].sum().idxmax()
    assert told["baseline"] == pytest.approx(np.average(scored["y"] == plainest, weights=scored["w"]))
    assert "weighted accuracy 0." in Path("run/report.html").read_text()


def test_a_run_is_resumed_and_examined_with_what_was_said_of_its_rows(descend_here, tables):
    how = ("--class-weights", "no=1,yes=2.5", "--test", "new.csv", "--out", "run")
    assert descend_here(*how).code == 0
    asked = json.loads(Path("run/run.json").read_text())["settings"]
    assert (asked["class_weights"], asked["test"]) == ("no=1,yes=2.5", str(Path("new.csv").absolute()))
    assert descend_here(*how, "--resume").code == 0
    start = begun(Path("run"), "t.csv")
    held_out = pd.read_csv("new.csv")["y"].map({"no": 1, "yes": 2.5})
    np.testing.assert_allclose(start.judged[3], held_out / held_out.mean(), rtol=1e-6)
    refused(descend_here("--class-weights", "yes=2", *how[2:], "--resume"), "was begun with another class weights")
    pd.read_csv("new.csv").head(20).to_csv("new.csv", index=False)
    refused(descend_here(*how, "--resume"), "its content has changed since")


def test_groups_and_times_are_told(descend_here):
    assert descend_here("--group", "who", "--out", "grouped", "--quiet").code == 0
    assert any(re.fullmatch(r"held out are \d of 12 groups by who, whole", note) for note in facts("grouped")["notes"])
    assert descend_here("--time", "when", "--out", "timed", "--quiet").code == 0
    assert "held out are the rows from 2024-03-13 on, by when; all others are of before" in facts("timed")["notes"]


@pytest.mark.parametrize(("options", "part"), [
    (("--test", "new.csv", "--hold-out", "0.2"), "--hold-out is for a table without --test"),
    (("--test", "none.csv"), "no file 'none.csv'"),
    (("--weights", "W"), "t has no column 'W': did you mean 'w'?"),
    (("--group", "who", "--time", "when"), "--group and --time divide the rows in two ways"),
    (("--class-weights", "maybe=2"), "--class-weights: there is no class 'maybe': the classes are no, yes"),
])  # fmt: skip
def test_what_cannot_be_is_told_on_a_line(descend_here, options, part):
    refused(descend_here(*options, "--out", "run"), part)
    assert not Path("run").exists()


def test_what_only_tables_have_is_refused_of_pictures(descend, tmp_path):
    from PIL import Image

    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (file := tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(file)
    refused(descend("fit", "pictures", "--class-weights", "balanced"), "--class-weights is for tables")


def test_a_folder_does_not_say_what_is_fetched(descend_here):
    assert descend_here("--test", "new.csv", "--out", "run", "--quiet").code == 0
    file = Path("run/run.json")
    file.write_text(file.read_text().replace(str(Path("new.csv").absolute()), "http://localhost:1/new.csv"))
    with pytest.raises(InputError, match="may be another one by now"):
        begun(Path("run"), "t.csv")
