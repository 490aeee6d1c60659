"""Processes that share a sweep: each trial is made once, by whoever takes it, and all comes out as of one process."""

import json
import multiprocessing
import threading
from pathlib import Path

import pandas as pd
import pytest
from refusal import refused

from descend._locks import hold
from descend.tasks.sweep import sweeping
from forked import said, started

OVER = ("--over", "learning_rate=0.01,0.1", "--over", "seed=0:2", "--no-halving")
SETTLED = ("--target", "price", "--epochs", 2, "--width", 8, "--hidden-layers", 1, "--quiet")
PATIENCE = 120


def outcome(sweep):
    """All that does not tell of time, and the winner's files."""
    table = pd.read_csv(sweep / "trials.csv").drop(columns="seconds")
    return table.to_csv(), (sweep / "winner" / "model.safetensors").read_bytes()


def rounds(sweep):
    return {file.parent.name: json.loads(file.read_bytes()) for file in sweep.glob("*/trial.json")}


def test_it_comes_out_as_alone_and_a_later_one_finds_all_done(descend, houses):
    assert descend("sweep", houses, *SETTLED, *OVER, "--out", "alone") == (0, "", "")
    assert descend("sweep", houses, *SETTLED, *OVER, "--out", "shared", "--shared") == (0, "", "")
    made = rounds(Path("shared"))
    assert len(made) == 4
    assert outcome(Path("shared")) == outcome(Path("alone"))
    assert descend("sweep", houses, *SETTLED, *OVER, "--out", "shared", "--shared") == (0, "", "")
    # Seconds are those of the first time.
    assert rounds(Path("shared")) == made


def _held(lock, taken, given_back):
    hold(lock, lock.parent)
    taken.set()
    given_back.wait(PATIENCE)


@pytest.fixture
def elsewhere():
    """Has another process hold a lock, until it is told to give it back."""
    context, ends = multiprocessing.get_context("forkserver"), []

    def holds(lock):
        taken, given_back = context.Event(), context.Event()
        process = context.Process(target=_held, args=(lock, taken, given_back))
        process.start()
        ends.append((given_back, process))
        assert taken.wait(PATIENCE)
        return given_back

    yield holds
    for given_back, process in ends:
        given_back.set()
        process.join(PATIENCE)


@pytest.fixture
def held(elsewhere, monkeypatch):
    """Has another process hold the first trial as soon as trials may be taken; a list of what gives it back."""
    found, kept = [], sweeping.Sweep.go_through

    def gone_through(sweep, board):
        found.append(elsewhere(sweep.trials[0].folder.path.absolute() / ".lock"))
        return kept(sweep, board)

    monkeypatch.setattr(sweeping.Sweep, "go_through", gone_through)
    return found


@pytest.mark.processes
@pytest.mark.parametrize("has_made_it", [False, True])
def test_a_trial_that_another_has_is_taken_when_it_is_given_back(descend, houses, held, monkeypatch, has_made_it):
    seen, first = [], "learning_rate=0.01,seed=0"

    def give_back(event, seconds):
        made = rounds(Path("shared"))
        seen.append(sorted(made))
        if has_made_it:
            written = made["learning_rate=0.01,seed=1"][:1]
            Path("shared", first, "trial.json").write_text(json.dumps([written[0] | {"seconds": 12345.0}]))
        held[0].set()
        return threading.Event.wait(event, 0.05)

    monkeypatch.setattr(sweeping.Interruption, "wait", give_back)
    assert descend("sweep", houses, *SETTLED, *OVER, "--out", "shared", "--shared") == (0, "", "")
    # All others had been made by then.
    assert seen[0] == ["learning_rate=0.01,seed=1", "learning_rate=0.1,seed=0", "learning_rate=0.1,seed=1"]
    (made,) = rounds(Path("shared"))[first]
    assert (made["seconds"] == 12345.0) == has_made_it


@pytest.mark.processes
def test_one_alone_does_not_wait(descend, houses, held):
    refused(descend("sweep", houses, *SETTLED, *OVER, "--out", "alone"), "another process", "writes to")


@pytest.mark.processes
def test_a_folder_that_one_has_to_itself_is_not_shared(descend, houses, elsewhere):
    elsewhere(Path("both/.lock").absolute())
    refused(descend("sweep", houses, *SETTLED, *OVER, "--out", "both", "--shared"),
            "another process has both to itself: wait for its end, or name another --out")


@pytest.mark.processes
def test_while_another_keeps_the_best_it_is_not_kept_twice(descend, houses, elsewhere, monkeypatch):
    kept = sweeping.Sweep.go_through

    def gone_through(sweep, board):
        asked_to_end = kept(sweep, board)
        elsewhere(Path("shared/.lock").absolute())
        return asked_to_end

    monkeypatch.setattr(sweeping.Sweep, "go_through", gone_through)
    settled = [word for word in SETTLED if word != "--quiet"]
    ended = descend("sweep", houses, *settled, *OVER, "--out", "shared", "--shared")
    assert (ended.code, ended.err) == (0, "")
    assert "all trials have ended; another process keeps the best of them in shared/winner" in ended.out
    assert not Path("shared/winner").exists()


def test_a_folder_is_named_and_has_one_sweep(descend, houses):
    refused(descend("sweep", houses, *SETTLED, *OVER, "--shared"), "say with --out which folder the processes share")
    assert descend("sweep", houses, *SETTLED, *OVER, "--out", "shared", "--shared").code == 0
    others = ("--over", "learning_rate=0.01,0.3", "--no-halving")
    refused(descend("sweep", houses, *SETTLED, *others, "--out", "shared", "--shared"), "was begun with another over")


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True])
def test_three_processes_train_each_trial_once(tmp_path, houses, is_killed):
    settled = ("--target", "price", "--epochs", 60, "--width", 16, "--hidden-layers", 1, "--quiet",
               "--over", "learning_rate=0.001:1:log:6", "--over", "seed=0:2")
    folders = [tmp_path / f"process-{i}" for i in range(4)]
    for folder in folders:
        folder.mkdir()
    alone = started(folder := folders.pop(), "sweep", houses, *settled, "--out", "sweep")
    alone.join(PATIENCE)
    assert (alone.exitcode, said(folder)) == (0, "")
    out = tmp_path / "shared"
    processes = [started(each, "sweep", houses, *settled, "--out", out, "--shared") for each in folders]
    if is_killed:
        while not rounds(out):
            processes[0].join(0.02)
        processes[0].kill()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [-9 if is_killed else 0, 0, 0]
    assert outcome(out) == outcome(folder / "sweep")
    for made in rounds(out).values():
        shares = [each["share"] for each in made]
        assert shares == sorted(set(shares))
