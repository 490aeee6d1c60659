"""A training that is killed at any moment, or interrupted, goes on to the very same end."""

import os
import random
import signal
import time

import pytest

from amounts import times
from forked import said, saves_all_the_time, started, waits_for_the_end
from trainings import KINDS, outcome_of, training

pytestmark = pytest.mark.processes
PATIENCE = 100  # seconds, for a machine that is busy


def begun(folder, kind, out, *options, prepare=None):
    return started(folder, *training(kind, folder), *options, "--out", out, prepare=prepare)


def ended(process, folder, code=0):
    """Wait for the end, a good one."""
    process.join(PATIENCE)
    assert (process.exitcode, said(folder)) == (code, "")


def wait_for_a_checkpoint(run, process):
    deadline = time.monotonic() + PATIENCE
    while not (run / "checkpoints" / "mlp.safetensors").exists():
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_interrupted_and_resumed_is_as_never_interrupted(tmp_path, number, code):
    """Ctrl-C, and the signal by which batch systems take a machine back, leave a model that can be used."""
    process = begun(tmp_path, "mlp", "run", prepare=waits_for_the_end)
    wait_for_a_checkpoint(tmp_path / "run", process)
    os.kill(process.pid, number)
    ended(process, tmp_path, code)
    assert (tmp_path / "run" / "report.html").exists()
    metrics = outcome_of(tmp_path / "run")["metrics"]
    assert metrics["reason"] == "interrupted"
    if number == signal.SIGINT:  # what is left does not tell which signal it was
        ended(begun(tmp_path, "mlp", "run", "--resume"), tmp_path)
        ended(begun(tmp_path, "mlp", "whole"), tmp_path)
        whole = outcome_of(tmp_path / "whole")
        assert outcome_of(tmp_path / "run") == whole
        assert metrics["steps"] < whole["metrics"]["steps"]


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
    moments, wanted, kills = random.Random(kind), times(1), 0
    begin = lambda out: begun(tmp_path, kind, out, "--resume", prepare=saves_all_the_time)
    began = time.monotonic()
    ended(begin("whole"), tmp_path)
    seconds = time.monotonic() - began
    whole = outcome_of(tmp_path / "whole")
    while kills < wanted:
        out = f"after-{kills}"
        while is_killed(process := begin(out), moments.uniform(0, 1.2 * seconds) if kills < wanted else PATIENCE):
            kills += 1
        assert (process.exitcode, said(tmp_path)) == (0, "")
        assert outcome_of(tmp_path / out) == whole
