"""`descend doctor`: a run's training is examined anew, on the table that it was trained on."""

import json
from pathlib import Path

import pytest
from refusal import refused


@pytest.mark.optimized
@pytest.mark.slow
def test_a_rate_that_is_far_too_high(descend):
    options = ["--model", "mlp", "--optimizer", "sgd", "--learning-rate", 50, "--epochs", 20, "--quiet"]
    assert descend("fit", "sample:wine", "--target", "target", *options).code == 0
    said = descend("doctor", "runs/wine", "sample:wine", "--seconds", 40)
    assert said.code == 0
    assert "proved: The learning rate" in said.out
    page = Path("runs/wine/doctor.html").read_text()
    assert "is too high" in page
    assert page.count("plotly-graph-div") == 1
    diagnoses = json.loads(descend("doctor", "runs/wine", "sample:wine", "--seconds", 40, "--json").out)
    assert diagnoses[0]["name"] == "learning rate too high"
    assert diagnoses[0]["low"] > 0.05


@pytest.fixture
def run(trained):
    return trained


def test_what_is_not_there(descend, houses):
    refused(descend("doctor", "runs/none", houses), "runs/none is no run's folder")


def test_another_table(descend, run, houses):
    Path("houses.csv").write_text(houses.read_text().replace("Basel", "Berlin"))
    refused(descend("doctor", run, "houses.csv"), "was trained on another table than houses.csv, or its content has")


def test_settings_that_are_none(descend, houses):
    Path("run").mkdir()
    Path("run/run.json").write_text('{"settings": {"target": "price", "seed": -1}}')
    refused(descend("doctor", "run", houses), "run/run.json is damaged")


@pytest.mark.parametrize("seconds", ["0", "-3", "nan"])
def test_no_time(descend, run, houses, seconds):
    refused(descend("doctor", run, houses, "--seconds", seconds), "--seconds must be a number above 0")


def test_a_model_that_is_solved_makes_no_steps(descend):
    assert descend("fit", "sample:wine", "--target", "target", "--model", "linear", "--quiet").code == 0
    refused(descend("doctor", "runs/wine", "sample:wine"), "the model linear is solved, and makes no steps")
