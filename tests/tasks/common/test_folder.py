"""A run's folder: found, begun, resumed; and a model that comes back as it was saved."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from descend._locks import release_all
from descend.engine.storing import write_arrays
from descend.errors import CheckpointError, InputError
from descend.tasks.common.folder import claimed
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.loading import stored_model
from descend.tasks.table.task import fit_table
from locking import locked_by

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {"x": RNG.normal(size=40), "z": list("uvwx") * 10, "n": RNG.normal(50, 9, 40), "c": list("ab") * 20}
)
TABLE = Table(FRAME, "my table/1", "0")
SETTINGS = Settings("n")


def find_folder(path, table, settings, resume):
    """The folder of a fit, as the command finds it."""
    asked = {"table": table.name, "digest": table.digest, "settings": vars(settings)}
    return claimed(path, table.name, asked, resume)


def save_model(folder, model):
    facts, arrays = model.to_parts()
    write_arrays(folder.path / "model.safetensors", arrays, facts)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("architecture", ["linear", "mlp"])
@pytest.mark.parametrize("epochs", [None, 1.0])
@pytest.mark.parametrize("target", ["n", "c", "z"])
def test_a_saved_model_predicts_the_same_bits(here, architecture, epochs, target):
    model = fit_table(TABLE, Settings(target, architecture, epochs=epochs)).model
    folder = find_folder(here / "run", TABLE, SETTINGS, resume=False)
    save_model(folder, model)
    loaded = stored_model(folder.path)
    assert type(loaded.predictor) is type(model.predictor)
    assert loaded.predictor.to_parts()[0] == model.predictor.to_parts()[0]
    assert (loaded.target, loaded.scale) == (model.target, model.scale)
    rows = model.encoder.transform(FRAME)
    np.testing.assert_array_equal(loaded.predict(loaded.encoder.transform(FRAME)), model.predict(rows))


def test_a_saved_perceptron_has_the_layers_that_were_asked_for(here):
    model = fit_table(TABLE, Settings("c", "mlp", epochs=1, hidden_layers=2, width=6)).model
    folder = find_folder(here / "run", TABLE, SETTINGS, resume=False)
    save_model(folder, model)
    loaded, rows = stored_model(folder.path), model.encoder.transform(FRAME)
    assert [weights.shape[1:] for weights in loaded.predictor.ensemble.weights[1:]] == [(6, 6), (6, 1)]
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))


def test_the_same_model_is_saved_as_the_same_bytes(here):
    model = fit_table(TABLE, Settings("n", "linear", epochs=1)).model
    saved = set()
    for number in range(5):
        folder = find_folder(here / str(number), TABLE, SETTINGS, resume=False)
        save_model(folder, model)
        saved.add((folder.path / "model.safetensors").read_bytes())
    assert len(saved) == 1


def test_runs_are_numbered(here):
    paths = []
    for _ in range(3):
        folder = find_folder(None, TABLE, SETTINGS, resume=False)
        folder.begin()
        paths.append(str(folder.path))
    assert paths == ["runs/my_table_1", "runs/my_table_1-2", "runs/my_table_1-3"]
    assert str(find_folder(None, TABLE, SETTINGS, resume=True).path) == paths[-1]


@pytest.mark.parametrize(("name", "folder"), [
    ("..", "table"), (".", "table"), ("...", "table"), ("", "table"), ("/", "_"), ("../x", "_x"), (".x", "x"),
    ("é y", "é_y"),
])
def test_a_run_has_a_folder_of_its_own(here, name, folder):
    assert find_folder(None, dataclasses.replace(TABLE, name=name), SETTINGS, resume=False).path == Path("runs", folder)


@pytest.mark.parametrize("out", ["new/..", "new/../.", "new/../full", "full/new/..", "."])
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_comes_to_one_with_other_files_is_refused(here, out, resume):
    (here / "full").mkdir()
    (here / "full" / "file").write_text("precious")
    with pytest.raises(InputError, match="exists"):
        find_folder(Path(out), TABLE, SETTINGS, resume)
    assert [str(path.relative_to(here)) for path in sorted(here.rglob("*"))] == ["full", "full/file"]


def test_looking_for_a_folder_writes_nothing(here):
    find_folder(here / "run", TABLE, SETTINGS, resume=True)
    find_folder(None, TABLE, SETTINGS, resume=False)
    assert not list(here.iterdir())


def test_a_begun_run_says_what_was_asked_for(here):
    find_folder(here / "run", TABLE, SETTINGS, resume=False).begin()
    asked = json.loads((here / "run/run.json").read_text())
    wanted = {"table": "my table/1", "digest": "0", "settings": dataclasses.asdict(SETTINGS)}
    assert asked == json.loads(json.dumps(wanted))
    assert find_folder(here / "run", TABLE, SETTINGS, resume=True).asked == wanted


def test_an_empty_folder_may_be_used(here):
    find_folder(here, TABLE, SETTINGS, resume=False).begin()


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_another_process_writes_to_is_refused(here, resume):
    find_folder(here / "run", TABLE, SETTINGS, resume=False).begin()
    release_all()
    (here / "new").mkdir()
    folder = find_folder(here / ("run" if resume else "new"), TABLE, SETTINGS, resume)
    refused = pytest.raises(InputError, match=f"another process, 77, writes to {folder.path}: .*")
    with locked_by(77, folder.path / ".lock"), refused:
        folder.begin()
    folder.begin()


def test_a_folder_that_another_process_took_meanwhile_is_refused(here):
    first, second = (find_folder(here / "run", TABLE, SETTINGS, resume=False) for _ in range(2))
    first.begin()
    with pytest.raises(InputError, match="exists already"):
        second.begin()


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_was_killed_as_it_began_may_begin(here, resume):
    (here / "run").mkdir()
    for name in (".lock", ".run.json.0a1b2c3d.part"):
        (here / "run" / name).touch()
    find_folder(here / "run", TABLE, SETTINGS, resume).begin()
    assert (here / "run/run.json").exists()


TASK = {"kind": "regression", "classes": [], "reason": ""}


@pytest.mark.parametrize(
    "facts",
    [{}, {"shape": {}}, {"version": 1}, {"version": 4}, {"version": 4, "task": TASK, "kind": "magic"},
     {"version": 4, "task": TASK | {"colour": 1}}],
)
def test_a_file_that_is_no_model_is_refused(here, facts):
    write_arrays(here / "model.safetensors", {}, facts)
    with pytest.raises(CheckpointError, match="is no model of descend's"):
        stored_model(here)


def test_json_that_is_not_finite_is_never_written(here):
    folder = find_folder(here, TABLE, SETTINGS, resume=False)
    with pytest.raises(ValueError, match="JSON compliant"):
        folder.write_json("metrics.json", {"score": float("nan")})
    assert not list(here.iterdir())


def test_a_folder_that_is_a_file_is_refused(here):
    (here / "file").touch()
    with pytest.raises(InputError, match="exists already"):
        find_folder(here / "file", TABLE, SETTINGS, resume=False)
    with pytest.raises(InputError, match=r"cannot write to .*give another --out"):
        find_folder(here / "file" / "run", TABLE, SETTINGS, resume=False).begin()


def test_who_is_refused_is_told_to_resume_only_what_can_be(here):
    (here / "run").mkdir()
    (here / "run" / "mine.txt").touch()
    for resume in (False, True):
        with pytest.raises(InputError, match=r"run exists already: it holds no run: give another --out$"):
            find_folder(here / "run", TABLE, SETTINGS, resume)
    (here / "run" / "mine.txt").unlink()
    find_folder(here / "run", TABLE, SETTINGS, resume=False).begin()
    release_all()
    with pytest.raises(InputError, match=r"run exists already: give --resume to go on with the run in it, or give"):
        find_folder(here / "run", TABLE, SETTINGS, resume=False)
    find_folder(here / "run", TABLE, SETTINGS, resume=True)


def test_what_cannot_be_written_at_the_end_says_how_to_go_on(here, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    folder = find_folder(here / "my run", TABLE, SETTINGS, resume=False)
    with pytest.raises(InputError) as refused, folder.closing():
        folder.write_json("metrics.json", {})
    assert str(refused.value) == (f"{here}/my run/metrics.json cannot be written (No space left on device): make room, "
                                  f"and give the same command with --resume --out '{here}/my run'")
