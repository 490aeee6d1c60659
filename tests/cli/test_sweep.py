"""`descend sweep`: what its trials, its table and its winner are, and what it refuses."""

import json
import re
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusal import refused

from cli.conftest import made
from descend.tasks.sweep.trial import Trial

FIXED = ("--target", "price", "--epochs", 16, "--width", 6, "--hidden-layers", 1)
OVER = ("--over", "learning_rate=0.001:1:log:4", "--over", "seed=3,7")


@pytest.fixture
def swept(descend, houses):
    """`descend sweep` of the houses, in an empty folder, with more options."""
    return lambda *more: descend("sweep", houses, *FIXED, *OVER, "--out", "s", *more)


@pytest.fixture(scope="module")
def folder(houses, tmp_path_factory):
    """The folder of a sweep, which tests read."""
    return made(tmp_path_factory.mktemp("sweeps") / "s", houses, *FIXED, *OVER, command="sweep")


def trials(folder):
    return pd.read_csv(Path(folder) / "trials.csv")


def name_of(row):
    return f"learning_rate={row.learning_rate},seed={row.seed}"


def test_the_worse_half_of_the_settings_stops_in_each_round(folder):
    found = trials(folder)
    assert sorted(found["reason"].value_counts().items()) == [("budget", 2), ("halved", 6)]
    assert found["steps"].tolist() == [16, 16, 8, 8, 4, 4, 4, 4]
    # Seeds of one setting go on, or stop, together; the best settings come first.
    assert found["learning_rate"].iloc[::2].tolist() == found["learning_rate"].iloc[1::2].tolist()
    means = found.groupby("learning_rate", sort=False)["the mean square of errors"].mean()
    np.testing.assert_allclose(found["mean over seeds"].iloc[::2], means)
    assert means.is_monotonic_increasing
    for _, seeds in found.groupby("learning_rate"):
        assert seeds["the mean square of errors"].is_monotonic_increasing


def test_rows_are_divided_alike_whatever_the_seed(folder):
    """So says each trial's own file, by which a single fit goes on."""
    asked = [json.loads((folder / name_of(row) / "run.json").read_text())["settings"]
             for row in trials(folder).itertuples(index=False)]
    assert {one["seed"] for one in asked} == {3, 7}
    assert {one["split_seed"] for one in asked} == {0}


def test_trials_are_judged_as_their_validations_say(folder):
    for row in trials(folder).itertuples(index=False):
        history = pd.read_parquet(folder / name_of(row) / "history.parquet")
        assert len(history) == row.steps
        # Half a square is what the network descends on.
        assert 2 * history["validation_loss"].min() == pytest.approx(row[2], rel=1e-5)


def test_the_winner_is_the_model_that_a_single_fit_trains(folder, houses, tmp_path):
    best = trials(folder).iloc[0]
    single = made(tmp_path / "single", houses, *FIXED, "--model", "mlp", "--learning-rate", best["learning_rate"],
                  "--seed", int(best["seed"]), "--split-seed", 0)
    for name in ("model.safetensors", "coefficients.csv"):
        if (single / name).exists():
            assert (folder / "winner" / name).read_bytes() == (single / name).read_bytes()
    ours, theirs = (json.loads((run / "metrics.json").read_text()) for run in (folder / "winner", single))
    assert (ours["score"], ours["steps"], ours["held_out"]) == (theirs["score"], theirs["steps"], theirs["held_out"])


def test_a_trial_that_was_stopped_can_be_taken_to_its_end(folder, houses, tmp_path, descend):
    worst = trials(folder).iloc[-1]
    options = ("--learning-rate", worst["learning_rate"], "--seed", int(worst["seed"]), "--split-seed", 0,
               "--model", "mlp", "--quiet")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (folder / name_of(worst)).rglob("*.*"):
        if file.is_file() and not file.name.startswith("."):
            (copy / file.relative_to(folder / name_of(worst))).parent.mkdir(exist_ok=True)
            (copy / file.relative_to(folder / name_of(worst))).write_bytes(file.read_bytes())
    assert descend("fit", houses, *FIXED, *options, "--out", "copy", "--resume").code == 0
    assert descend("fit", houses, *FIXED, *options, "--out", "alone").code == 0
    assert Path("copy/model.safetensors").read_bytes() == Path("alone/model.safetensors").read_bytes()


def test_what_is_said(folder, houses, descend):
    before = {file: file.read_bytes() for file in sorted(folder.rglob("*.json"))}
    said = descend("sweep", houses, *FIXED, *OVER, "--out", folder, "--resume")
    words = re.sub(r"\s+", " ", said.out)
    assert (said.code, said.err) == (0, "")
    assert "8 trials have made 25% of their training: 4 go on; least the mean square of errors " in words
    assert "on 64 rows, validated in each of 5 folds. The winner has " in words
    assert ", as the best of 8: this number flatters." in words
    assert "on 16 rows that were held out: no trial has seen them, and no other was scored on them." in words
    assert f"use it: descend predict {folder}/winner TABLE -o FILE" in said.out
    # What had ended was not made again.
    assert {file: file.read_bytes() for file in sorted(folder.rglob("*.json"))} == before
    page = (folder / "report.html").read_text()
    assert page.count("<tr>") > 8
    assert "All settings at once" in page


def test_an_interrupted_sweep_goes_on_to_the_same_table(swept, folder, monkeypatch):
    judged, further = [], Trial.further

    def interrupted(trial, *given):
        further(trial, *given)
        judged.append(trial.name)
        if len(judged) == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trial, "further", interrupted)
    said = swept()
    assert said.code == 130
    assert "go on:  the same command with --resume --out s" in said.out
    assert not Path("s/trials.csv").exists()
    whole = {file: file.stat().st_mtime_ns for file in Path("s").glob("*/trial.json")}
    assert 5 <= len(whole) < 8
    judged.clear()
    monkeypatch.setattr(Trial, "further", lambda trial, *given: (judged.append(trial.name), further(trial, *given)))
    assert swept("--resume").code == 0
    # 8 in the first round, 4 in the second, 2 in the third.
    assert len(judged) == 14 - len(whole)
    pd.testing.assert_frame_equal(trials("s").drop(columns="seconds"), trials(folder).drop(columns="seconds"))
    assert Path("s/winner/model.safetensors").read_bytes() == (folder / "winner/model.safetensors").read_bytes()


def test_without_halving_all_come_to_their_end(descend, houses):
    said = descend("sweep", houses, *FIXED, "--over", "learning_rate=0.001,0.1", "--no-halving", "--json", "--out", "s")
    told = json.loads(said.out)
    assert [row["reason"] for row in told["trials"]] == ["budget", "budget"]
    assert told["winner"]["held_out"] == 16


def test_models_that_are_solved_take_part(descend, houses):
    said = descend("sweep", houses, "--target", "price", "--fast", "--over", "model=linear,mlp", "--out", "s",
                   "--quiet")
    assert (said.code, said.err) == (0, "")
    assert set(trials("s")["model"]) == {"linear", "mlp"}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("", "say with --over which setting to vary"),
        ("--over colour=1,2", "--over colour: there is no such setting to vary"),
        ("--over seed=3:3", "from 3 to 3 there is nothing"),
        ("--over seed=0:1000", "these are 1,000 trials, and 500 is the most"),
        ("--over learning_rate=-1,1", "the learning rate must be a number above 0, but is -1"),
        ("--over learning_rate=0.1,0.2 --learning-rate 0.1",
         "--learning-rate and --over learning_rate settle the same: give one of them"),
        ("--over seed=1,2 --seed 0", "--seed and --over seed settle the same"),
        ("--over batch_size=8,900", "the batch size is 900, but there are 64 rows to learn from"),
        ("--over optimizer=sgd,magic", "there is no optimizer 'magic'"),
        ("--over model=mlp,auto", "a sweep compares models itself: name one with --model"),
        ("--over model=mlp,deep", "there is no model 'deep'"),
        ("--over width=8,16 --model linear", "the linear model has no hidden layers"),
        ("--over seed=0,1 --target rent", "no column 'rent'"),
    ],
)
def test_what_cannot_be_swept_is_refused(descend, houses, options, part):
    target = () if "--target" in options else ("--target", "price")
    refused(descend("sweep", houses, *target, "--quiet", *options.split()), part)
    assert not Path("runs").exists()


def test_other_sweeps_and_folders_are_refused(descend, houses, folder):
    at = ("--target", "price", "--over", "seed=0,1", "--quiet", "--out")
    refused(descend("sweep", houses, *at, folder), f"{folder} exists already: give --resume to go on")
    refused(descend("sweep", houses, *at, folder, "--resume"), "was begun with another epochs, 16.0 and not none")
    refused(descend("sweep", "nowhere.csv", *at, "s"), "nowhere.csv")
    refused(descend("sweep", houses, *at[2:], "s"), "houses is a table: say with --target which column to predict")
    Path("photos/a").mkdir(parents=True)
    refused(descend("sweep", "photos", *at, "s"), "photos")
    assert descend("sweep", *at, "s").err.startswith("Usage: ")
    assert not Path("s").exists()


def test_a_damaged_trial_is_told_of(descend, houses, folder, tmp_path):
    (folder / "learning_rate=1.0,seed=3" / "trial.json").write_text('[{"share": "much"}]')
    said = descend("sweep", houses, *FIXED, *OVER, "--out", folder, "--resume", "--quiet")
    refused(said, "trial.json: share must be a finite number from 0 to 1, but is 'much'")
