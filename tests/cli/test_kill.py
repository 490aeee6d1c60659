"""A training that is killed at any moment, or interrupted, goes on to the very same end."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from amounts import times
from forked import said, saves_all_the_time, started
from trainings import KINDS, outcome_of, training

pytestmark = pytest.mark.processes
PROGRAM = (sys.executable, "-c", "from descend.cli import main; main()")
PATIENCE = 100  # seconds, for a machine that is busy


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng, rows = np.random.default_rng(0), 1200
    frame = pd.DataFrame(rng.normal(size=(rows, 6)), columns=list("abcdef"))
    frame["t"] = np.where(frame["a"] + frame["a"] * frame["b"] + rng.normal(0, 0.3, rows) > 0, "over", "under")
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    frame.to_csv(path, index=False)
    return path


def start(table, out, *options):
    """A training of some seconds: its learning rate is so low that it becomes better for most of its time."""
    args = ["--target", "t", "--model", "mlp", "--learning-rate", "5e-4", "--epochs", "120", "--quiet", "--out", out]
    return subprocess.Popen([*PROGRAM, "fit", table, *args, *options], stderr=subprocess.PIPE)


def ended(process, code=0):
    """Wait for the end, a good one."""
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.decode()) == (code, "")


def wait_for_checkpoints(out, process, times):
    """Until so many were written; they replace each other."""
    path, seen, deadline = out / "checkpoints" / "mlp.safetensors", set(), time.monotonic() + PATIENCE
    if path.exists():
        seen.add(path.stat().st_mtime_ns)
        times += 1
    while len(seen) < times:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
        if path.exists():
            seen.add(path.stat().st_mtime_ns)


def files_of(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["seconds"]
    return (folder / "model.safetensors").read_bytes(), pd.read_parquet(folder / "history.parquet"), metrics


@pytest.fixture(scope="module")
def whole(table, tmp_path_factory):
    """What a training that nothing disturbs comes to."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    ended(start(table, out))
    return files_of(out)


def assert_same(outcome, expected):
    (model, history, metrics), (same_model, same_history, same_metrics) = outcome, expected
    assert model == same_model
    pd.testing.assert_frame_equal(history, same_history, check_exact=True)
    assert metrics == same_metrics


@pytest.mark.slow
def test_killed_and_resumed_is_as_never_killed(table, whole, tmp_path):
    out, moments = tmp_path / "run", random.Random(0)
    for checkpoints in (0, 1):
        process = start(table, out, "--resume")
        wait_for_checkpoints(out, process, checkpoints)
        time.sleep(moments.uniform(0, 1))
        assert process.poll() is None
        process.kill()
        process.communicate()
        assert not (out / "metrics.json").exists()
    ended(start(table, out, "--resume"))
    assert_same(files_of(out), whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_interrupted_and_resumed_is_as_never_interrupted(table, whole, tmp_path, number, code):
    """Ctrl-C, and the signal by which batch systems take a machine back, leave a model that can be used."""
    out = tmp_path / "run"
    process = start(table, out)
    wait_for_checkpoints(out, process, 1)
    process.send_signal(number)
    ended(process, code)
    metrics = files_of(out)[2]
    assert (metrics["reason"], (out / "report.html").exists()) == ("interrupted", True)
    assert metrics["steps"] < whole[2]["steps"]
    if number == signal.SIGINT:  # what is left does not tell which signal it was
        ended(start(table, out, "--resume"))
        assert_same(files_of(out), whole)


def is_killed(process, after):
    """Whether it has not ended by itself within so many seconds."""
    process.join(after)
    if process.exitcode is not None:
        return False
    process.kill()
    process.join()
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_trainings_of_all_kinds_go_on_after_random_kills(kind, tmp_path):
    """Killed at moments that are drawn from all of its time, from its first line to its last file."""
    command, moments, wanted, kills = training(kind, tmp_path), random.Random(kind), times(1), 0
    begin = lambda out: started(tmp_path, *command, "--resume", "--out", out, prepare=saves_all_the_time)
    began, process = time.monotonic(), begin("whole")
    assert not is_killed(process, PATIENCE)
    assert (process.exitcode, said(tmp_path)) == (0, "")
    seconds = time.monotonic() - began
    whole = outcome_of(tmp_path / "whole")
    while kills < wanted:
        out = tmp_path / f"after-{kills}"
        while is_killed(process := begin(out), moments.uniform(0, 1.2 * seconds) if kills < wanted else PATIENCE):
            kills += 1
        assert (process.exitcode, said(tmp_path)) == (0, "")
        assert outcome_of(out) == whole
