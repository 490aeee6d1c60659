"""A disk that fails, or a process that dies, at any operation on the run's folder: nothing is lost that was there.

Afterwards the same command with `--resume` goes on to what an undisturbed training comes to, to the last bit; and a new
one begins, or is refused with a line that says what to do.
"""

import random
import shutil

import pytest
from refusal import refused

from amounts import times
from disk import broken_at, counting, each_of, full_from, kept, watched
from trainings import KINDS, outcome_of, training

STEPS = 50  # of a dispatch: a few checkpoints for each training


@pytest.fixture(autouse=True)
def a_checkpoint_before_each_dispatch(monkeypatch):
    """So that the operations are the same each time."""
    monkeypatch.setattr("descend.engine.timed.Clock.is_due", lambda *_: True)
    monkeypatch.setattr("descend.engine.pace.Pace.within", lambda *_: STEPS)


def goes_on(descend, command, run, whole):
    assert descend(*command, "--out", run, "--resume") == (0, "", "")
    assert outcome_of(run) == whole


def begins_or_says_what_to_do(descend, command, run, whole):
    said = descend(*command, "--out", run)
    if said.code:
        refused(said, f"{run} exists already: give --resume to go on with the run in it, or give another --out")
    else:
        assert outcome_of(run) == whole


def place(content, run):
    shutil.rmtree(run, ignore_errors=True)
    if content.exists():
        shutil.copytree(content, run)


@pytest.mark.filterwarnings("always:.*could not be written")
@pytest.mark.parametrize(("kind", "most"), [
    ("linear", 1), *(pytest.param(kind, times(1), marks=pytest.mark.slow) for kind in KINDS),
])  # fmt: skip
def test_what_a_failing_disk_or_a_killed_process_leaves_is_gone_on_with(descend, tmp_path, kind, most):
    command, run, left, names = training(kind, tmp_path), tmp_path / "run", tmp_path / "left", []
    with watched(run, each_of(counting(names), kept(run, left))):
        assert descend(*command, "--out", run) == (0, "", "")
    whole, chance = outcome_of(run), random.Random(kind)
    some = lambda sequence: chance.sample(sequence, min(most, len(sequence)))

    def undisturbed_after(content):
        for then in (goes_on, begins_or_says_what_to_do):
            place(content, run)
            then(descend, command, run, whole)

    for content in some(sorted(left.iterdir())):
        undisturbed_after(content)
    for fault in (full_from, broken_at):
        for number in some(range(len(names))):
            shutil.rmtree(run, ignore_errors=True)
            with watched(run, fault(number)):
                said = descend(*command, "--out", run)
            *warned, last = said.err.splitlines() or [""]
            assert all(line.startswith("descend: warning: ") for line in warned)
            if said.code == 0:
                assert outcome_of(run) == whole
            else:
                assert (said.code, said.out) == (2, "")
                assert last.endswith((f"--resume --out {run}", "give another --out", "or name another file",
                                      "or name another place"))  # fmt: skip
            place(run, tmp_path / "failed")
            undisturbed_after(tmp_path / "failed")
