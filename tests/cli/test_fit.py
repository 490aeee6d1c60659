"""`descend fit`: what it prints, what it writes, what its options do."""

import json
import math
import os
import re
import signal
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

from descend.observers.progress import ProgressBar

BRIEF = ("--model", "linear", "--epochs", "3")
SOLVED = ("--model", "linear")
FILES = {"run.json", "checkpoints", "model.safetensors", "metrics.json", "history.parquet", "report.html"}
KEYS = {"task", "model", "optimizer", "metric", "score", "baseline", "reason", "steps", "seconds"}


@pytest.fixture(scope="module")
def models():
    """What came of trainings that nothing disturbed, by what they were asked for."""
    return {}


@pytest.fixture
def whole(descend, models):
    """The outcome of an undisturbed training, made once for all tests that interrupt it."""

    def outcome(*args):
        if args not in models:
            assert descend(*args, "--out", "whole", "--quiet").code == 0
            models[args] = outcome_of("whole")
        return models[args]

    return outcome


def test_fit_ends_with_a_table_that_says_it_all(descend, houses):
    said = descend("fit", houses, "--target", "price", *BRIEF)
    assert (said.code, said.err) == (0, "")
    told = dict(re.findall(r"^(\w+) {2,}(.+?) *$", said.out, re.MULTILINE))
    assert told["rows"] == "80, of which 16 were held out"
    assert told["features"].endswith(" from 5 columns")
    assert told["task"] == "regression (numbers: 80 different values in 80 rows)"
    assert told["model"] == "linear, 5 of them averaged"
    assert told["why"] == "linear was asked for"
    assert told["optimizer"].startswith("WeightDecay(rule=Adam(")
    assert told["stopped"] == "budget: 3 epochs (3 steps) were made"
    assert re.fullmatch(r"R² -?\d+\.\d{4} on held-out rows; the plainest guess: -?\d\.\d{4}", told["score"])
    assert "area" in told["weightiest"]
    assert "linear step 3 of 3 · epoch 3.0 · loss" in said.out
    assert "report: runs/houses/report.html\nuse it: descend predict runs/houses TABLE -o FILE\n" in said.out


def test_a_run_folder_has_everything_and_json_is_all_that_is_printed(descend, houses):
    said = descend("fit", houses, "--target", "price", *BRIEF, "--out", "run", "--json")
    assert (said.code, said.err) == (0, "")
    run = Path("run")
    assert {path.name for path in run.iterdir()} == FILES
    metrics = json.loads(said.out)
    assert metrics == json.loads((run / "metrics.json").read_text())
    assert metrics.keys() >= KEYS
    assert (metrics["task"], metrics["model"], metrics["metric"]) == ("regression", "linear", "R²")
    assert (metrics["reason"], metrics["steps"], metrics["rows"], metrics["held_out"]) == ("budget", 3, 80, 16)
    assert all(math.isfinite(value) for value in metrics.values() if isinstance(value, float))
    history = pd.read_parquet(run / "history.parquet")
    assert list(history["step"]) == [0, 1, 2]
    assert set(history) >= {"step", "loss", "learning_rate", "gradient_norm", "validation_loss", "validation_score"}
    assert history.notna().all().all()


def test_a_linear_model_comes_with_a_proof_and_coefficients(descend, houses):
    said = descend("fit", houses, "--target", "price", *SOLVED, "--out", "run")
    assert (said.code, said.err) == (0, "")
    told = dict(re.findall(r"^(\w+) {2,}(.+?) *$", said.out, re.MULTILINE))
    assert re.fullmatch(r"linear, at a penalty of \S+", told["model"])
    assert re.fullmatch(r"converged: within \S+ of the minimum, proved by the duality gap", told["linear"])
    assert told["optimizer"].startswith("closed form: ")
    assert re.search(r"linear step \d+ · loss \S+ · gap \S+ · val loss", said.out)
    run = Path("run")
    assert {path.name for path in run.iterdir()} == FILES - {"checkpoints"} | {"coefficients.csv"}
    metrics = json.loads((run / "metrics.json").read_text())
    assert "verdict" not in metrics
    assert metrics["linear"].keys() >= {"penalty", "duality_gap", "relative_gap", "reason", "solver", "iterations"}
    assert metrics["linear"]["relative_gap"] <= 1e-6
    assert metrics["score"] > 0.8
    effects = pd.read_csv(run / "coefficients.csv").set_index("feature")["effect"]
    assert effects["area"] == pytest.approx(3000, rel=0.1)
    assert effects["city=Zug"] - effects["city=Bern"] == pytest.approx(50_000, rel=0.2)
    assert "3 levels" in (run / "report.html").read_text()


def test_what_stands_out_is_said(descend, houses):
    """At such a rate, the validation loss is lowest at the end: in the facts, the report and on the console."""
    options = ("--target", "price", *SOLVED, "--epochs", 10, "--learning-rate", 1e-3)
    said = descend("fit", houses, *options, "--out", "run")
    (sentence,) = json.loads(Path("run/metrics.json").read_text())["verdict"]
    assert sentence.startswith("The validation loss was lowest at the end, the last of 10 times")
    assert sentence in Path("run/report.html").read_text().split("What stands out at the end")[1]
    assert sentence in re.sub(r"\s+", " ", said.out)
    assert "verdict" not in json.loads(descend("fit", houses, *options, "--no-insight", "--json").out)


def test_a_solved_linear_model_predicts_probabilities(descend):
    assert descend("fit", "sample:iris", "--target", "target", *SOLVED, "--quiet").code == 0
    assert descend("predict", "runs/iris", "sample:iris", "-o", "out.parquet").code == 0
    out = pd.read_parquet("out.parquet")
    chances = out[[f"probability of {name}" for name in ("setosa", "versicolor", "virginica")]]
    assert np.allclose(chances.sum(axis=1), 1)
    assert (chances.idxmax(axis=1) == "probability of " + out["prediction"]).all()
    assert (out["prediction"] == out["target"]).mean() > 0.95


@pytest.mark.parametrize(("number", "how", "code"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)])
def test_an_interrupted_linear_model_is_made_again(descend, houses, whole, monkeypatch, number, how, code):
    args = ("fit", houses, "--target", "price", *SOLVED)
    undisturbed = whole(*args)
    told = ProgressBar.__call__

    def tell(self, progress):
        told(self, progress)
        if progress.step == 1:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__call__", tell)
        patch.setattr("descend.tasks.common.linear.progress.SECONDS_BETWEEN_LOOKS", 0.0)
        said = descend(*args, "--out", "run")
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert (said.code, metrics["reason"]) == (code, "interrupted")
    assert metrics["evidence"] == f"{how} after 6 iterations"
    assert "go on:  the same command with --resume --out run" in said.out
    assert outcome_of("run") != undisturbed
    assert descend(*args, "--out", "run", "--resume", "--quiet").code == 0
    assert outcome_of("run") == undisturbed


def test_a_report_needs_no_network(trained):
    page = (trained / "report.html").read_text()
    assert page.count("plotly.js v") == 1
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=|https?://|@import""", outside)
    assert not re.search(r"<script[^>]*\bsrc\b|<link", page)
    for told in ("price from houses", "R² 0.", "How the training went", "area", "3 levels"):
        assert told in page


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--optimizer sgd", {"optimizer": "SGD(learning_rate=Cosine(initial=0.1, "}),
        ("--optimizer adagrad", {"optimizer": "AdaGrad("}),
        ("--optimizer rmsprop", {"optimizer": "RMSprop("}),
        ("--optimizer adam", {"optimizer": "Adam("}),
        ("--optimizer adamw", {"optimizer": "WeightDecay(rule=Adam("}),
        ("--learning-rate 0.5", {"optimizer": "WeightDecay(rule=Adam(learning_rate=Cosine(initial=0.5, "}),
        ("--batch-size 16", {"steps": 12}),
        ("--epochs 2.5", {"steps": 3, "evidence": "2.5 epochs (3 steps) were made"}),
        ("--seconds 1e-9", {"evidence": "the 1e-09 seconds were used up after "}),
        ("--hold-out 0.5", {"held_out": 40}),
        ("--model mlp", {"model": "mlp"}),
        ("--model auto", {"model": "linear"}),
    ],
)
def test_options(descend, houses, options, expected):
    said = descend("fit", houses, "--target", "price", *BRIEF, *options.split(), "--json")
    metrics = json.loads(said.out)
    for name, value in expected.items():
        assert str(metrics[name]).startswith(str(value))


def test_auto_says_why_it_chose(descend, houses):
    descend("fit", houses, "--target", "price", "--epochs", 3, "--quiet")
    metrics = json.loads(Path("runs/houses/metrics.json").read_text())
    assert metrics["validation"].keys() == {"linear", "mlp"}
    assert re.search(r"loses less on rows not trained on.*: \d.* against \d.*, give or take", metrics["why"])


def model_of(folder):
    return Path(folder, "model.safetensors").read_bytes()


def outcome_of(folder):
    """The model, and how each that was trained did: also those that were not chosen."""
    return model_of(folder), json.loads(Path(folder, "metrics.json").read_text())["validation"]


def test_the_same_command_gives_the_same_model(descend, houses):
    """Byte for byte; another seed gives another. And `--quiet` prints nothing."""
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        said = descend("fit", houses, "--target", "price", *BRIEF, "--seed", seed, "--out", out, "--quiet")
        assert said == (0, "", "")
    assert model_of("a") == model_of("b") != model_of("c")


def test_64_bits_are_nothing_that_a_command_is_asked_for(descend):
    jax.config.update("jax_enable_x64", True)  # as JAX_ENABLE_X64=1 does
    assert descend("optimizers").code == 0
    assert not jax.config.read("jax_enable_x64")


def test_runs_do_not_overwrite_each_other(descend, houses):
    for _ in range(2):
        assert descend("fit", houses, "--target", "price", *BRIEF, "--quiet").code == 0
    assert {path.name for path in Path("runs").iterdir()} == {"houses", "houses-2"}


def test_resuming_a_finished_run_changes_nothing(descend, houses):
    args = ("fit", houses, "--target", "price", *BRIEF, "--quiet", "--resume")
    assert descend(*args).code == 0  # there is none yet: it begins
    before = model_of("runs/houses")
    assert descend(*args).code == 0
    assert model_of("runs/houses") == before
    assert [path.name for path in Path("runs").iterdir()] == ["houses"]


@pytest.mark.parametrize("phase", ["linear", "mlp"])
def test_an_interrupted_run_is_whole_and_goes_on_to_the_same_end(descend, houses, whole, monkeypatch, phase):
    args = ("fit", houses, "--target", "price", "--epochs", 5)
    undisturbed = whole(*args)
    told = ProgressBar.__call__

    def tell(self, progress):
        told(self, progress)
        if phase in self._title and progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__call__", tell)
        patch.setattr("descend.engine.pace.DISPATCH_SECONDS", 0.0)  # a step a dispatch
        said = descend(*args, "--out", "run")
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert (said.code, metrics["reason"]) == (130, "interrupted")
    assert metrics["validation"].keys() == ({"linear"} if phase == "linear" else {"linear", "mlp"})
    assert "go on:  the same command with --resume --out run" in said.out
    assert {path.name for path in Path("run").iterdir()} == FILES
    assert descend(*args, "--out", "run", "--resume").code == 0
    assert outcome_of("run") == undisturbed


@pytest.mark.parametrize(("phase", "number", "code"), [("linear", signal.SIGINT, 130), ("mlp", signal.SIGTERM, 143)])
def test_models_that_are_trained_at_once_are_interrupted_and_resumed_together(
    descend, houses, whole, monkeypatch, phase, number, code
):
    # Who asks for fewer steps has them trained one after the other.
    monkeypatch.setattr("descend.tasks.table.networks.training.MIN_STEPS", 60)
    args = ("fit", houses, "--target", "price")
    undisturbed = whole(*args)
    told = ProgressBar.__call__

    def tell(self, progress):
        told(self, progress)
        if phase in self._title and progress.step == 2:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__call__", tell)
        patch.setattr("descend.engine.pace.DISPATCH_SECONDS", 0.0)
        patch.setattr("descend.tasks.common.linear.progress.SECONDS_BETWEEN_LOOKS", 0.0)
        said = descend(*args, "--out", "run")
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert (said.code, metrics["reason"]) == (code, "interrupted")
    assert metrics["validation"].keys() == {"linear", "mlp"}
    assert "go on:  the same command with --resume --out run" in said.out
    assert descend(*args, "--out", "run", "--resume", "--quiet").code == 0
    assert outcome_of("run") == undisturbed


def test_the_first_line_comes_before_anything_is_read(descend):
    said = descend("fit", "nowhere.csv", "--target", "price")
    assert (said.code, said.out) == (2, "reading nowhere.csv\n")


def test_help_names_the_commands(descend):
    said = descend("--help")
    assert said.code == 0
    assert "fit" in said.out
    assert "predict" in said.out


def test_a_file_named_by_dots_leaves_the_current_folder_alone(descend, houses):
    Path("...csv").write_bytes(houses.read_bytes())
    assert descend("fit", "...csv", "--target", "price", "--model", "linear", "--quiet").code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["...csv", "runs"]
    assert (Path("runs") / "table" / "model.safetensors").exists()


def test_dates_with_dots_leave_decimal_commas_what_they_are(descend):
    numbers = np.random.default_rng(0).normal(size=200)
    days = [f"{1 + index % 28:02}.{1 + index % 12:02}.2024" for index in range(200)]
    table = pd.DataFrame({"day": days, "x": numbers.round(2), "y": (20 + 3 * numbers).round(2)})
    table.to_csv("t.csv", sep=";", decimal=",", index=False)
    said = descend("fit", "t.csv", "--target", "y", *SOLVED, "--json")
    assert json.loads(said.out)["score"] > 0.99
