"""Checkpoints and run folders of which files were changed by chance: gone on with exactly, or refused on one line."""

import shutil
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from amounts import times
from descend import SGD, CheckpointError, minimize
from disk import kept, watched
from fuzz.damaged import changed
from trainings import KINDS, outcome_of, training

ROWS = np.random.default_rng(0).normal(1, 2, (37, 2)).astype(np.float32)


def change(folder: Path, rng: np.random.Generator) -> None:
    """Files are damaged, lost, mixed up, or where they should not be."""
    for _ in range(rng.integers(1, 4)):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            return
        file, other = (files[i] for i in rng.integers(len(files), size=2))
        match rng.integers(8):
            case 0:
                file.unlink()
            case 1:
                shutil.copy(other, folder / "copy")
                (folder / "copy").replace(file)
            case 2:
                shutil.copy(other, file.with_name(f"{rng.choice(['.', ''])}{other.name}{rng.choice(['.part', '2'])}"))
            case 3:
                file.unlink()
                file.mkdir()
            case _:
                file.write_bytes(changed(file.read_bytes(), rng))


# --------------------------------------------------------------------------------------------------- checkpoints


def distance(at, batch):
    return 0.5 * ((at - batch) ** 2).mean()


def descent(path: Path, steps: int, seed: int = 0) -> np.ndarray:
    fit = minimize(distance, np.zeros(2), ROWS, batch_size=5, optimizer=SGD(0.05, momentum=0.9), stop=[], steps=steps,
                   checkpoint=path, resume=True, seed=seed)  # fmt: skip
    return np.concatenate([fit.params, fit.history["loss"]])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a checkpoint, the one before it, and one of another descent; and what comes of the first."""
    folder = tmp_path_factory.mktemp("saved")
    for steps in (10, 20):
        descent(folder / "run", steps)
    descent(folder / "another", 20, seed=1)
    return folder, descent(folder.parent / "whole", 40)


def resumed(saved, folder: Path, seed: int) -> str:
    content, whole = saved
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(content, folder)
    change(folder, np.random.default_rng(seed))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*is damaged: the descent goes on from the checkpoint before it")
            found = descent(folder / "run", 40)
    except CheckpointError as error:
        message = str(error)
    else:
        np.testing.assert_array_equal(found, whole)
        return "resumed"
    assert "\n" not in message
    return "refused"


def test_changed_checkpoints_are_gone_on_with_or_refused(saved, tmp_path):
    found = Counter(resumed(saved, tmp_path / "run", seed) for seed in range(30))
    assert min(found["resumed"], found["refused"]) >= 4


@pytest.mark.slow
def test_many_changed_checkpoints_are_gone_on_with_or_refused(saved, tmp_path):
    for seed in range(1000, 1000 + times(100)):
        resumed(saved, tmp_path / "run", seed)


# --------------------------------------------------------------------------------------------------- run folders


def known_of(outcome):
    """All but samples on the way: their file has no checksum, and is there for people to read."""
    return {name: found for name, found in outcome.items() if name != "samples.json"}


def extended(descend, command, run: Path, whole) -> str:
    said = descend(*command, "--out", run, "--resume")
    *warned, last = said.err.splitlines() or [""]
    assert all(line.startswith("descend: warning: ") for line in warned)
    if said.code == 0:
        assert not last or last.startswith("descend: warning: ")
        assert known_of(outcome_of(run)) == known_of(whole)
        return "resumed"
    assert (said.code, said.out) == (2, "")
    assert last.startswith("descend: ")
    return "refused"


@pytest.mark.filterwarnings("always:.*is damaged")
@pytest.mark.parametrize(("kind", "cases"), [
    ("linear", 6), *(pytest.param(kind, times(3), marks=pytest.mark.slow) for kind in KINDS),
])  # fmt: skip
def test_changed_folders_are_gone_on_with_or_refused(descend, monkeypatch, tmp_path, kind, cases):
    monkeypatch.setattr("descend.engine.timed.Clock.is_due", lambda *_: True)
    monkeypatch.setattr("descend.engine.pace.Pace.within", lambda *_: 50)
    command, run = training(kind, tmp_path), tmp_path / "run"
    with watched(run, kept(run, tmp_path / "left")):
        assert descend(*command, "--out", run).code == 0
    whole, rng = outcome_of(run), np.random.default_rng(cases)
    left = sorted((tmp_path / "left").iterdir(), key=lambda path: int(path.name.split("-")[0]))
    for _ in range(cases):
        shutil.rmtree(run)
        shutil.copytree(left[rng.integers(len(left))], run)
        change(run, rng)
        extended(descend, command, run, whole)
