"""`descend fit` and `descend predict` on a table of texts."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusal import refused

from descend.observers.progress import ProgressBar

WORDS = {"work": "meeting report budget office deadline client", "play": "beach party music picnic dancing summer"}
BOTH = "the a is with we and for tomorrow today our"


def mails(rows=120, seed=0):
    """Texts of two classes, each with words of its own among those that both have."""
    rng, labels = np.random.default_rng(seed), np.array(["play", "work"])[np.arange(rows) % 2]
    draw = lambda words, count: rng.choice(words.split(), count).tolist()
    texts = [" ".join(draw(WORDS[label], 3) + draw(BOTH, 6)) for label in labels]
    return pd.DataFrame({"id": np.arange(rows), "text": texts, "label": labels})


@pytest.fixture
def table(descend):
    mails().to_csv("mails.csv", index=False)
    return "mails.csv"


def test_texts_are_told_apart(descend, table):
    said = descend("fit", table, "--target", "label")
    assert (said.code, said.err) == (0, "")
    told = dict(re.findall(r"^(\w+) {2,}(.+?) *$", said.out, re.MULTILINE))
    assert told["texts"] == "120, of which 24 were held out"
    assert told["model"] == "linear model of 22 words, at a penalty of 0.01"
    assert told["calibration"]
    assert "loses less on rows not trained on" in told["why"]
    assert "<h2>What tells the classes</h2>" in Path("runs/mails/report.html").read_text()
    assert told["score"] == "accuracy 1.0000 on held-out texts; the plainest guess: 0.5000"
    assert "use it: descend predict runs/mails TABLE -o FILE\n" in said.out
    new = mails(20, seed=1).drop(columns="label")
    new.to_csv("new.csv", index=False)
    assert descend("predict", "runs/mails", "new.csv", "-o", "out.csv").code == 0
    out = pd.read_csv("out.csv")
    assert list(out) == ["id", "text", "prediction", "probability of play", "probability of work"]
    assert out["prediction"].tolist() == mails(20, seed=1)["label"].tolist()
    refused(descend("predict", "runs/mails", table, "-o", "out.pdf"), "cannot tell what to write to out.pdf")
    refused(descend("export", "runs/mails", "mails.onnx"), "runs/mails has a model of another kind than those")
    new[["id"]].to_csv("new.csv", index=False)
    refused(descend("predict", "runs/mails", "new.csv", "-o", "out.csv"), "the table lacks the column 'text'")


def test_a_table_of_orange_is_read(descend):
    frame = mails()[["label", "text"]]
    rows = frame.to_csv(index=False, header=False, sep="\t")
    Path("mails.tab").write_text(f"label\ttext\nd\tstring\nclass\t\n\n{rows}")
    metrics = json.loads(descend("fit", "mails.tab", "--target", "label", "--json").out)
    assert (metrics["task"], metrics["rows"], metrics["score"]) == ("texts", len(frame), 1.0)


@pytest.mark.parametrize("change", ["another column", "numbers to predict", "--model linear"])
def test_what_remains_a_table(descend, change):
    frame = mails(40)
    if change == "another column":
        frame["length"] = np.random.default_rng(0).normal(size=40)
    if change == "numbers to predict":
        frame["label"] = np.random.default_rng(0).normal(size=40)
    frame.to_csv("mails.csv", index=False)
    options = change.split() if change.startswith("--") else ["--model", "auto", "--seconds", 1]
    metrics = json.loads(descend("fit", "mails.csv", "--target", "label", "--json", *options).out)
    assert metrics["task"] in ("binary", "regression")


def test_empty_texts(descend):
    frame = mails()
    frame.loc[::10, "text"] = ""
    frame.to_csv("mails.csv", index=False)
    metrics = json.loads(descend("fit", "mails.csv", "--target", "label", "--json").out)
    assert metrics["notes"] == ["12 texts are empty"]
    assert descend("predict", "runs/mails", "mails.csv", "-o", "out.csv").code == 0
    frame["text"] = ""
    frame.to_csv("mails.csv", index=False)
    refused(descend("fit", "mails.csv", "--target", "label", "--out", "run"), "'text': every value is missing")
    assert not Path("run").exists()


def test_an_interrupted_run_goes_on_to_the_same_end(descend, table, monkeypatch):
    # What is solved is solved anew: it is the network that takes steps.
    steps = ("--target", "label", "--epochs", 3, "--out")
    options = ("fit", table, "--quiet", *steps)
    assert descend(*options, "whole").code == 0
    told = ProgressBar.__call__

    def tell(self, progress):
        told(self, progress)
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__call__", tell)
        patch.setattr("descend.engine.pace.DISPATCH_SECONDS", 0.0)  # a step a dispatch
        assert descend("fit", table, *steps, "run").code == 130
    assert json.loads(Path("run/metrics.json").read_text())["reason"] == "interrupted"
    model = lambda folder: Path(folder, "model.safetensors").read_bytes()
    assert model("run") != model("whole")
    assert descend(*options, "run", "--resume").code == 0
    assert model("run") == model("whole")


def test_a_table_needs_a_target(descend, table):
    refused(descend("fit", table), "mails is a table: say with --target which column to predict, one of id, text, lab")
    assert not Path("runs").exists()
