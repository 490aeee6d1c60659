"""`descend sweep` of pictures and of texts: trials of their networks, the winner, and what is refused."""

import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from refusal import refused

import descend as descend_in_python
from cli.conftest import made
from descend.tasks.sweep.trial import Round, Trial

OF_PICTURES = ("--epochs", 8, "--batch-size", 16)
OVER_PICTURES = ("--over", "learning_rate=0.00001,0.03", "--over", "seed=3,7")
OF_TEXTS = ("--target", "label", "--optimizer", "sgd", "--epochs", 8)
OVER_TEXTS = ("--over", "learning_rate=0.01:10:log:4", "--over", "seed=3,7")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of 80 pictures, of which those of a class are darker."""
    folder, rng = tmp_path_factory.mktemp("pictures") / "photos", np.random.default_rng(0)
    for name, tone in {"dusk": 90, "noon": 150}.items():
        (folder / name).mkdir(parents=True)
        for number in range(40):
            pixels = np.clip(rng.normal(tone, 40, (5, 5)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def mails(tmp_path_factory):
    """A table of 300 texts, each with two words that tell its class more often than not."""
    rng, labels = np.random.default_rng(0), np.array(["play", "work"])[np.arange(300) % 2]
    words = {"work": ["meeting", "report", "budget"], "play": ["beach", "party", "music"]}
    said = lambda label: rng.choice([*words[label] * 2, *words["work"], *words["play"]], 2)
    texts = [" ".join(["the", *said(label), *rng.choice(["a", "is", "with", "we", "today"], 4)]) for label in labels]
    file = tmp_path_factory.mktemp("texts") / "mails.csv"
    pd.DataFrame({"text": texts, "label": labels}).to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def of_pictures(photos, tmp_path_factory):
    return made(tmp_path_factory.mktemp("sweeps") / "s", photos, *OF_PICTURES, *OVER_PICTURES, command="sweep")


@pytest.fixture(scope="module")
def of_texts(mails, tmp_path_factory):
    return made(tmp_path_factory.mktemp("sweeps") / "s", mails, *OF_TEXTS, *OVER_TEXTS, command="sweep")


def trials(folder):
    return pd.read_csv(Path(folder) / "trials.csv")


def outcome(folder):
    """All that does not tell of time, and the winner's model."""
    return trials(folder).drop(columns="seconds").to_csv(), (Path(folder) / "winner/model.safetensors").read_bytes()


def folder_of(folder, row):
    return folder / f"learning_rate={row.learning_rate},seed={row.seed}"


def single(folder, source, best, *options):
    """The run of `descend fit` with a trial's settings."""
    return made(folder, source, *options, "--learning-rate", best["learning_rate"], "--seed", int(best["seed"]),
                "--split-seed", 0)


def test_pictures_are_swept_as_tables_are(of_pictures):
    """The lower rate has hardly moved after half of its steps: its seeds stop. 44 pictures are 2.75 steps an epoch."""
    found = trials(of_pictures)
    assert found[["learning_rate", "steps", "reason"]].values.tolist() == [
        [0.03, 22, "budget"], [0.03, 22, "budget"], [0.00001, 11, "halved"], [0.00001, 11, "halved"]]
    assert sorted(found["seed"].iloc[:2]) == sorted(found["seed"].iloc[2:]) == [3, 7]
    for row in found.itertuples(index=False):
        history = pd.read_parquet(folder_of(of_pictures, row) / "history.parquet")
        assert len(history) == row.steps
        assert history["validation_loss"].min() == pytest.approx(row[2], rel=1e-5)
    told = json.loads((folder_of(of_pictures, found.iloc[3]) / "metrics.json").read_text())
    assert (told["task"], told["model"], told["reason"]) == ("pictures", "residual", "halved")


def test_the_winner_is_the_run_that_a_single_fit_makes(of_pictures, of_texts, photos, mails, tmp_path):
    """Which never rested, and of pictures learns with a kernel, too."""
    for swept, source, options in ((of_pictures, photos, OF_PICTURES), (of_texts, mails, OF_TEXTS)):
        alone = single(tmp_path / source.stem, source, trials(swept).iloc[0], *options)
        assert (swept / "winner/model.safetensors").read_bytes() == (alone / "model.safetensors").read_bytes()
        ours, theirs = (json.loads((run / "metrics.json").read_text()) for run in (swept / "winner", alone))
        assert {name for name in ours if ours[name] != theirs[name]} <= {"seconds"}


def test_the_rounds_of_texts(of_texts):
    found = trials(of_texts)
    assert found["reason"].tolist() == ["budget"] * 2 + ["halved"] * 6
    # 216 texts, of 240, are learnt from, in batches of 16: 13.5 steps an epoch.
    assert found["steps"].tolist() == [108, 108, 54, 54, 27, 27, 27, 27]
    means = found.groupby("learning_rate", sort=False)["log-loss"].mean()
    np.testing.assert_allclose(found["mean over seeds"].iloc[::2], means)


def test_all_trials_are_judged_on_the_same_texts(descend, mails, monkeypatch):
    """Whatever their seed; and the network of each is its own."""
    seen = []

    def further(trial, candidate, prepared, judge, share, context):
        seen.append((prepared.for_network, prepared.network.random_state, prepared.network))
        trial.rounds = [Round(share, 1, 0.0, 0.5, 0.5, "budget")]

    monkeypatch.setattr(Trial, "further", further)
    assert descend("sweep", mails, *OF_TEXTS, *OVER_TEXTS, "--quiet", "--out", "s").code == 0
    (learnt, validation), *_ = seen[0]
    assert (len(learnt), len(validation["X_val"])) == (216, 24)
    for (others, validated_on), *_ in seen:
        assert (others.inputs, validated_on["X_val"]) == (learnt.inputs, validation["X_val"])
    assert sorted(seed for _, seed, _ in seen) == [3] * 4 + [7] * 4
    assert len({id(network) for *_, network in seen}) == 8


def test_a_trial_that_was_stopped_can_be_taken_to_its_end(of_texts, mails, tmp_path):
    worst = trials(of_texts).iloc[-1]
    copy = shutil.copytree(folder_of(of_texts, worst), tmp_path / "copy", ignore=shutil.ignore_patterns(".*"))
    assert single(copy, mails, worst, *OF_TEXTS, "--resume") == copy
    alone = single(tmp_path / "alone", mails, worst, *OF_TEXTS)
    assert (copy / "model.safetensors").read_bytes() == (alone / "model.safetensors").read_bytes()


def test_an_interrupted_sweep_goes_on_to_the_same_table(descend, mails, of_texts, monkeypatch):
    judged, further = [], Trial.further

    def interrupted(trial, *given):
        further(trial, *given)
        judged.append(trial.name)
        if len(judged) == 10:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trial, "further", interrupted)
    again = lambda *more: descend("sweep", mails, *OF_TEXTS, *OVER_TEXTS, "--out", "s", "--quiet", *more)
    assert again().code == 130
    before = {file: json.loads(file.read_text()) for file in Path("s").glob("*/trial.json")}
    assert sum(map(len, before.values())) >= 10
    monkeypatch.setattr(Trial, "further", further)
    assert again("--resume") == (0, "", "")
    assert outcome("s") == outcome(of_texts)
    # A round that had ended is there with its own seconds, which no second try would have.
    for file, rounds in before.items():
        assert [each["seconds"] for each in json.loads(file.read_text())][: len(rounds)] == [
            each["seconds"] for each in rounds]


def test_a_shared_sweep_and_one_from_python_come_out_alike(descend, mails, of_texts):
    assert descend("sweep", mails, *OF_TEXTS, *OVER_TEXTS, "--out", "s", "--quiet", "--shared") == (0, "", "")
    assert outcome("s") == outcome(of_texts)
    over = {"learning_rate": "0.01:10:log:4", "seed": [3, 7]}
    swept = descend_in_python.sweep(mails, target="label", over=over, optimizer="sgd", epochs=8, out="p")
    assert outcome("p") == outcome(of_texts)
    assert swept.winner.predict(["the meeting on the budget", "party at the beach"]).tolist() == ["work", "play"]


def test_what_is_said(of_pictures, photos, descend):
    said = descend("sweep", photos, *OF_PICTURES, *OVER_PICTURES, "--out", of_pictures, "--resume")
    words = re.sub(r"\s+", " ", said.out)
    assert (said.code, said.err) == (0, "")
    assert "compared by log-loss on 64 pictures, validated on 20 of them. The winner has " in words
    assert "With its settings all was trained that learns from such pictures, as by descend fit" in words
    assert "on 16 pictures that were held out: no trial has seen them" in words
    assert f"use it: descend predict {of_pictures}/winner FOLDER -o FILE" in said.out
    assert descend("predict", f"{of_pictures}/winner", photos, "-o", "out.csv", "--quiet").code == 0
    assert set(pd.read_csv("out.csv")["prediction"]) == {"dusk", "noon"}
    assert "All settings at once" in (of_pictures / "report.html").read_text()


@pytest.mark.parametrize(
    ("source", "options", "part"),
    [
        ("photos", "--over width=8,16", "--over width is for tables, and photos has pictures"),
        ("photos", "--over model=linear,mlp", "--over model is for tables, and photos has pictures"),
        ("photos", "--over seed=0,1 --model mlp", "--model mlp is for tables"),
        ("photos", "--over seed=0,1 --target dusk", "--target is for tables: the pictures in"),
        ("photos", "--over seed=0,1 --metric auc", "--metric is for tables, and photos has pictures"),
        ("photos", "--over optimizer=sgd,adam", "--optimizer sgd needs --learning-rate for pictures"),
        ("photos", "--over batch_size=8,900", "the batch size is 900, but there are 64 pictures to learn from"),
        ("photos", "--over seed=0,1 --hold-out 0.6", "32 pictures to learn from are too few to compare trials on"),
        ("mails", "--over seed=0,1", "linear models are solved, which leaves nothing to try: say how a network"),
        ("mails", "--over hidden_layers=1,2", "--over hidden_layers is for tables, and mails has texts"),
        ("mails", "--over epochs=1,2 --metric auc", "--metric is for tables with more than texts"),
        ("mails", "--over epochs=1,2 --hold-out 0.6", "120 texts to learn from are too few to compare trials on"),
        ("mails", "--over epochs=1,2 --skip-damaged", "--skip-damaged is for pictures, and mails is a table without"),
    ],
)
def test_what_cannot_be_swept_is_refused(descend, photos, mails, source, options, part):
    target = ("--target", "label") if source == "mails" else ()
    refused(descend("sweep", {"photos": photos, "mails": mails}[source], *target, "--quiet", *options.split()), part)
    assert not Path("runs").exists()
