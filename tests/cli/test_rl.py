"""`descend rl` and `descend rl play`: what they print, what they write, what their options do."""

import json
import os
import re
import signal
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from descend._locks import release_all
from descend.cli.rl.bar import PolicyBar, in_steps
from descend.observers import Progress
from descend.observers.progress import words
from descend.rl import Policy, environments
from descend.rl.environments import CartPole
from descend.stopping import Best
from descend.tasks.begun import begun

BRIEF = ("CartPole-v1", "--steps", "2048")
FILES = {"run.json", "checkpoints", "policy.safetensors", "metrics.json", "history.parquet", "report.html"}


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """A brief training: its folder, and what it said."""
    from typer.testing import CliRunner

    from descend.cli import _app

    folder = tmp_path_factory.mktemp("runs") / "pole"
    ended = CliRunner().invoke(_app(["rl"]), ["rl", *BRIEF, "--out", str(folder)])
    assert ended.exit_code == 0, ended.output
    release_all()  # which the command line does at its end
    return folder, ended.output


def policy_of(folder):
    return Path(folder, "policy.safetensors").read_bytes()


def test_it_ends_with_a_table_that_says_it_all(brief):
    folder, said = brief
    told = dict(re.findall(r"^(\w+) {2,}(.+?) *$", said, re.MULTILINE))
    assert told["environment"] == "CartPole-v1, played in JAX"
    assert told["algorithm"].startswith("PPO: rollouts of 8 × 128 steps")
    assert told["stopped"].startswith("budget: 2,048 steps in the environment")
    assert re.match(r"\d\S* ± \d\S* over 100 further episodes", told["return"])
    assert re.match(r"\S+ s of training, 2,048 steps", told["time"])
    line = r"CartPole-v1 step 2,048 of 2,048 · return \S+ · length \d+ · KL \S+ · entropy 0\.\d+ · val return \S+ · "
    assert re.search(line + r"[\d,]+ steps/s · .*, budget", said)
    assert f"watch:  descend rl play {folder}" in said


def test_a_run_folder_has_everything(brief):
    folder, _ = brief
    assert {path.name for path in folder.iterdir()} == FILES
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["environment"], metrics["reason"], metrics["steps"]) == ("CartPole-v1", "budget", 2048)
    assert (metrics["episodes"], metrics["solved_at"], metrics["solved"]) == (100, 475.0, False)
    assert metrics["verdict"] == []
    assert metrics["lowest_return"] <= metrics["mean_return"] <= metrics["highest_return"]
    history = pd.read_parquet(folder / "history.parquet")
    assert set(history) >= {"environment_steps", "episode_return", "episode_length", "approx_kl", "entropy", "loss"}
    assert history["environment_steps"].max() == 2048
    assert Policy.load(folder / "policy.safetensors").environment == "CartPole-v1"


def test_a_report_plays_an_episode_and_needs_no_network(brief):
    page = (brief[0] / "report.html").read_text()
    assert page.count("plotly.js v") == 1
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r'src="(.{22})', outside) == ["data:image/gif;base64,"]
    assert not re.search(r"https?://|@import|href=|<script[^>]*\bsrc\b", outside)
    for told in ("A policy for CartPole-v1", "mean return", "steps in the environment", "solved at 475", "It earned"):
        assert told in page
    assert "bit for bit" not in page  # which only Gymnasium's environments are not


def test_what_the_doctor_examines_is_this_training(brief):
    folder, _ = brief
    start, told = begun(folder, None), pd.read_parquet(folder / "history.parquet")
    step = int(told["validation_return"].first_valid_index()) + 1
    run, trace = start.run.advance(step)
    np.testing.assert_array_equal(trace.columns["loss"], told["loss"][:step])
    assert -start.judged(run.params) == told["validation_return"][step - 1]


def test_playing_says_the_returns_and_writes_a_film(brief, descend):
    folder, _ = brief
    said = descend("rl", "play", folder, "--episodes", 3, "-o", "pole.gif")
    assert (said.code, said.err) == (0, "")
    *lines, mean, wrote = said.out.splitlines()
    played = [re.fullmatch(r"episode \d  return +(\S+) +(\d+) steps", line).groups() for line in lines]
    returns = [float(earned) for earned, _ in played]
    assert returns == [float(length) for _, length in played]  # of a pole, a step earns 1
    assert mean.startswith(f"mean return {np.mean(returns):.6g} ± ")
    assert wrote == "wrote pole.gif"
    with Image.open("pole.gif") as film:
        assert film.format == "GIF"
        assert film.n_frames == -(-int(returns[0]) // 2)  # 25 of 50 a second
        assert film.info["duration"] == 40


def test_a_film_is_not_written_over_what_is_none(brief, descend):
    Path("notes.txt").write_text("precious")
    said = descend("rl", "play", brief[0], "-o", "notes.txt")
    assert said == (2, "", "descend: notes.txt would be a GIF by another name: end it with .gif\n")
    assert Path("notes.txt").read_text() == "precious"


def test_the_same_seed_plays_the_same(brief, descend):
    said = [descend("rl", "play", brief[0], "--episodes", 2, "--seed", seed).out for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]


def test_json_is_all_that_is_printed(descend, monkeypatch):
    """Also what stands out, if something does."""
    monkeypatch.setattr(import_module("descend.insight.verdict"), "unmoved", lambda _: ["The critic did not move."])
    said = descend("rl", *BRIEF, "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == json.loads(Path("runs/CartPole-v1/metrics.json").read_text())
    assert json.loads(said.out)["verdict"] == ["The critic did not move."]
    assert "<p>The critic did not move.</p>" in Path("runs/CartPole-v1/report.html").read_text()


@pytest.mark.parametrize(
    ("algorithm", "name"), [("a2c", "A2C("), ("reinforce", "Reinforce(")]
)
def test_other_algorithms(descend, algorithm, name):
    said = descend("rl", *BRIEF, "--algorithm", algorithm, "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["algorithm"].startswith(name)


def test_seeds_side_by_side_are_told_of_by_median_and_spread(descend):
    said = descend("rl", *BRIEF, "--seeds", 3, "--seed", 5, "--json", "--no-insight")
    assert "verdict" not in json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    metrics = json.loads(said.out)
    assert metrics["seeds"].keys() == {"5", "6", "7"}
    means = list(metrics["seeds"].values())
    assert (metrics["lowest"], metrics["highest"]) == (min(means), max(means))
    assert (metrics["median"], metrics["mean_return"]) == (np.median(means), max(means))
    history = pd.read_parquet("runs/CartPole-v1/history.parquet")
    assert history.groupby("seed")["environment_steps"].max().to_dict() == {5: 2048, 6: 2048, 7: 2048}
    page = Path("runs/CartPole-v1/report.html").read_text()
    assert "the best of 3 seeds, whose median is" in page
    assert "all seeds" in page


def test_it_stops_when_the_environment_is_solved(descend, monkeypatch):
    monkeypatch.setattr(CartPole, "solved_at", 20.0)
    said = descend("rl", "CartPole-v1", "--steps", 60_000, "--json")
    metrics = json.loads(said.out)
    assert metrics["reason"] == "reached"
    assert "at least the 20" in metrics["evidence"]
    assert metrics["steps"] < 10_000


def test_an_interrupted_run_goes_on_to_the_same_policy(descend, monkeypatch):
    args = ("rl", "CartPole-v1", "--steps", "8192")
    assert descend(*args, "--out", "whole", "--quiet") == (0, "", "")
    told = PolicyBar.__call__

    def tell(self, progress):
        told(self, progress)
        if progress.step and progress.reason is None:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(PolicyBar, "__call__", tell)
        said = descend(*args, "--out", "run")
    assert said.code == 130
    assert json.loads(Path("run/metrics.json").read_text())["reason"] == "interrupted"
    assert "go on:  the same command with --resume --out run" in said.out
    assert descend(*args, "--out", "run", "--resume", "--quiet").code == 0
    assert policy_of("run") == policy_of("whole")


@pytest.mark.peers
def test_gymnasiums_environments_are_played_and_told_of(descend, monkeypatch):
    monkeypatch.setenv("PYGAME_HIDE_SUPPORT_PROMPT", "hide")  # or it greets this process as it is looked for
    pytest.importorskip("pygame", reason="draws what Gymnasium plays: pip install 'descend[peers]'")
    said = descend("rl", "FrozenLake-v1", "--steps", 1024, "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["played"] == "by Gymnasium"
    page = Path("runs/FrozenLake-v1/report.html").read_text()
    assert "is not, bit for bit, the one that was never interrupted" in page
    assert descend("rl", "play", "runs/FrozenLake-v1", "--episodes", 2).code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["CartPole-v2"], r"no environment is called 'CartPole-v2': did you mean .*CartPole-v1"),
        (["CartPole-v1", "--steps", "0"], "steps must be more than 0, but is 0"),
        (["CartPole-v1", "--seconds", "-1"], "seconds must be more than 0, but is -1"),
        (["CartPole-v1", "--seeds", "0"], "--seeds must be at least 1, but is 0"),
        (["play", "nowhere"], "there is no folder nowhere: give the folder that descend rl wrote"),
        (["play", "."], "has no policy: it is no run's folder"),
        (["play", ".", "-o", "film.mp4"], "film.mp4 would be a GIF by another name: end it with .gif"),
        (["no_such_module:Env-v0"], r"the module cannot be imported \(No module named 'no_such_module'\)"),
    ],
)
def test_refusals_are_one_line(descend, args, said):
    ended = descend("rl", *args)
    assert (ended.code, ended.out) == (2, "")
    assert re.match(rf"descend: .*{said}", ended.err)
    assert ended.err.count("\n") == 1
    assert not Path("runs").exists()


def test_a_folder_is_not_resumed_for_something_else(brief, descend):
    folder, _ = brief
    for args, said in (
        (("Acrobot-v1", "--steps", "2048"), "was begun with another environment, 'CartPole-v1'"),
        (("CartPole-v1", "--steps", "4096"), "was begun with another steps, 2048 and not 4096"),
    ):
        ended = descend("rl", *args, "--out", folder, "--resume")
        assert ended.code == 2
        assert said in ended.err


@pytest.mark.parametrize("wide", [60, 200])
def test_the_line_counts_in_steps_of_the_environment(wide):
    latest = {"loss": 1.0, "learning_rate": 0.1, "episode_return": 120.5, "episode_length": 120.0, "approx_kl": 0.01,
              "entropy": 0.5}
    validation = {"loss": -450.0, "return": 450.0, "length": 450.0}
    progress = Progress(40, 400, None, latest, validation, Best(), 2.0, 100.0, 3.6, None)
    told = words(in_steps(progress, 25.6), wide)
    whole = " · ".join(words(in_steps(progress, 25.6), 200))
    assert whole == ("step 1,024 of 10,240 · return 120.5 · length 120 · KL 0.01 · entropy 0.50 · val return 450.0 · "
                     "2,560 steps/s · ETA 3.6 s")
    assert len(" · ".join(told)) <= wide
    assert "return 120.5" in told


def test_of_several_seeds_the_line_tells_the_median():
    latest = {"episode_return": np.array([1.0, 5.0, 9.0]), "entropy": np.array([np.nan, 1.0, 2.0])}
    progress = Progress(1, 2, None, latest, {}, Best(), 1.0, 1.0, None, None)
    assert in_steps(progress, 1.0).latest == {"episode_return": 5.0}


@pytest.mark.parametrize("name", environments.ids())
def test_each_of_descends_environments_can_be_drawn(name):
    import jax

    from descend.rl._rendering import MAX_FRAMES, filmed

    environment = environments.make(name)
    states = [environment.reset(jax.random.key(i)) for i in (0, 1)]
    film = filmed(environment, states * 1000)
    assert 2 <= len(film) <= MAX_FRAMES
    assert film.gif()[:3] == b"GIF"
    first, second = (filmed(environment, [state]).gif() for state in states)
    assert first != second
