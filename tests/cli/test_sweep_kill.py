"""A sweep that is killed half-way goes on: no round of a trial is made again, and all comes out the same."""

import json
import time

import pandas as pd
import pytest

from forked import said, saves_all_the_time, started

pytestmark = [pytest.mark.slow, pytest.mark.processes]
# Seconds, for a machine that is busy.
PATIENCE = 300
OVER = ("--over", "learning_rate=0.001:1:log:4", "--over", "seed=0:2")


def begun(folder, houses, *options):
    settled = ("--target", "price", "--epochs", 600, "--width", 16, "--hidden-layers", 1, *OVER, "--quiet")
    return started(folder, "sweep", houses, *settled, *options, prepare=saves_all_the_time)


def ended(process, folder):
    process.join(PATIENCE)
    assert (process.exitcode, said(folder)) == (0, "")


def rounds(sweep):
    """What trials have written at the end of each of their rounds, and when."""
    return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in sweep.glob("*/trial.json")}


def killed_when_judged(process, sweep, count):
    """Kill it as soon as so many trials have been judged."""
    deadline = time.monotonic() + PATIENCE
    while len(rounds(sweep)) < count and process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.join()


def outcome(sweep):
    """All that does not tell of time, and the winner's files."""
    table = pd.read_csv(sweep / "trials.csv").drop(columns="seconds")
    return table.to_csv(), (sweep / "winner" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("count", [1, 4, 8])
def test_a_killed_sweep_goes_on_to_the_same_table(tmp_path, houses, count):
    ended(begun(tmp_path, houses, "--out", "whole"), tmp_path)
    process = begun(tmp_path, houses, "--out", "killed")
    killed_when_judged(process, tmp_path / "killed", count)
    before = rounds(tmp_path / "killed")
    assert len(before) >= count
    assert not (tmp_path / "killed" / "trials.csv").exists()
    ended(begun(tmp_path, houses, "--out", "killed", "--resume"), tmp_path)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")
    after = rounds(tmp_path / "killed")
    stopped = [file for file, (_, told) in before.items() if b'"halved"' in told]
    assert [after[file] for file in stopped] == [before[file] for file in stopped]
    # Each round that had ended is there with its own seconds, which no second try would have.
    for file, (_, told) in before.items():
        seconds = [made["seconds"] for made in json.loads(told)]
        assert [made["seconds"] for made in json.loads(file.read_bytes())][: len(seconds)] == seconds
