"""`descend doctor --apply`: a run anew, by settings that see to what was proved."""

import json
import os
import re
import shlex
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
from refusal import refused

from cli.conftest import made
from descend.insight.case import Case
from descend.insight.doctor import Diagnosis, Examination
from descend.insight.faults.changes import with_data
from descend.insight.faults.rates import rescaled
from descend.observers.progress import ProgressBar
from descend.tasks.common.reading import read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.task import table_task

FAULTY = ("--target", "target", "--model", "mlp", "--optimizer", "sgd", "--learning-rate", 50, "--epochs", 10)


@pytest.fixture(scope="module")
def faulty_run(tmp_path_factory):
    return made(tmp_path_factory.mktemp("runs") / "faulty", "sample:wine", *FAULTY)


@pytest.fixture
def faulty(descend, faulty_run):
    shutil.copytree(faulty_run, "faulty")
    return "faulty"


@pytest.fixture
def proves(monkeypatch):
    """Has the doctor say that such changes are what mends a run: to prove that takes longer than a test may."""

    def proves(**changes):
        def examine(run, held_out, seconds):
            diagnoses = [Diagnosis(name, "proved", f"It is {name}.", "seen", None, "", change)
                         for name, change in changes.items()]
            return Examination(diagnoses, Case.of(run, held_out, 0.2), 30, 0.2)

        monkeypatch.setattr("descend.insight.examine", examine)

    return proves


def scaled(data):
    return with_data("scaled", lambda examples: (2 * examples[0], *examples[1:]), "")


def told_in(folder, file="metrics.json"):
    return json.loads(Path(folder, file).read_text())


def test_a_run_is_mended(descend, faulty, proves):
    proves(fast=rescaled(0.01), odd=scaled(None))
    said = descend("doctor", faulty, "sample:wine", "--apply", "mended")
    assert (said.code, said.err) == (0, "")
    assert "not applied: odd: it lies in the data\n" in said.out
    assert "trying learning rate: 50.0 to 0.5\n" in said.out
    # 1. It is an ordinary run, with the settings, and says where they come from.
    asked = told_in("mended", "run.json")
    assert asked["settings"] == told_in(faulty, "run.json")["settings"] | {"learning_rate": 0.5}
    assert asked["mended"]["run"] == "faulty"
    assert asked["mended"]["because"] == ["It is fast."]
    assert told_in("mended")["mended"] == asked["mended"]
    assert "learning rate: 50.0 to 0.5" in Path("mended/report.html").read_text()
    # 2. It is better on the same held-out rows, which are told beside each other.
    old, new = told_in(faulty), told_in("mended")
    assert new["score"] > old["score"] + 0.3
    assert f"{old['score']:.4f} in faulty (mlp), {new['score']:.4f} in mended (mlp)" in said.out
    # 3. It can be used.
    assert descend("predict", "mended", "sample:wine", "-o", "out.csv").code == 0
    assert len(pd.read_csv("out.csv")) == 178
    # 4. The command that is told of is the same training, and goes on with it; what was mended is still told.
    command = shlex.split(asked["mended"]["the same as"])
    assert descend(*command[1:-1], "again", "--quiet").code == 0
    assert told_in("again")["score"] == new["score"]
    pd.testing.assert_frame_equal(*(pd.read_parquet(Path(run, "history.parquet")) for run in ("again", "mended")))
    Path("mended/metrics.json").unlink()
    assert descend(*command[1:], "--resume", "--quiet").code == 0
    assert told_in("mended")["mended"] == asked["mended"] == told_in("mended", "run.json")["mended"]
    # 5. A folder that is taken is refused before anything is examined.
    refused(descend("doctor", faulty, "sample:wine", "--apply", "mended"), "mended exists already")


def test_a_mended_run_that_is_interrupted_goes_on(descend, faulty, proves, monkeypatch):
    proves(fast=rescaled(0.01))

    def interrupt(self, progress):
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__call__", interrupt)
        patch.setattr("descend.engine.pace.DISPATCH_SECONDS", 0.0)  # a step a dispatch
        said = descend("doctor", faulty, "sample:wine", "--apply", "mended")
    assert said.code == 130
    command = re.search(r"go on:  descend (fit sample:wine .* --out mended --resume)\n", said.out)
    assert command
    assert descend(*shlex.split(command[1]), "--quiet").code == 0
    assert told_in("mended")["reason"] == "budget"
    assert told_in("mended")["mended"]["run"] == "faulty"


@pytest.mark.parametrize(("changes", "told"), [
    ({}, "nothing was proved that a setting of descend fit would see to, and mended was not written"),
    ({"odd": scaled(None)}, "mended was not written: odd: it lies in the data"),
    ({"slow": rescaled(1.5)}, "the settings that would see to it, optimizer=sgd, learning_rate=75.0, did not prove"),
])  # fmt: skip
def test_nothing_to_apply(descend, faulty, proves, changes, told):
    proves(**changes)
    said = descend("doctor", faulty, "sample:wine", "--apply", "mended", "--quiet")
    refused(said, told)
    assert not Path("mended").exists()
    assert Path(faulty, "doctor.html").exists()


def test_of_all_models_the_one_that_was_examined_is_trained():
    task = table_task(read_table("sample:wine"), Settings("target"))
    assert task.mended(task.prepare(), epochs=3).settings == Settings("target", "mlp", epochs=3)


def test_runs_of_other_commands(descend):
    Path("run").mkdir()
    settings = {"algorithm": "ppo", "steps": 2048, "seconds": None, "seed": 0, "seeds": None}
    Path("run/run.json").write_text(json.dumps({"environment": "CartPole-v1", "settings": settings}))
    refused(descend("doctor", "run", "--apply", "mended"), "--apply is for runs of descend fit")


@pytest.mark.optimized
@pytest.mark.slow
def test_what_is_proved_is_mended(descend, faulty):
    said = descend("doctor", faulty, "sample:wine", "--seconds", 120, "--apply", "mended")
    assert said.code == 0
    assert "proved: The learning rate" in said.out
    assert told_in("mended")["score"] > told_in(faulty)["score"] + 0.3
