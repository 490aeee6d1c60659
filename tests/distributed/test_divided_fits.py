"""`descend fit --processes`: the processes are real, and so are their ends."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amounts import times
from descend.distributed import children, supervisor
from descend.distributed.supervisor import Supervisor
from trainings import outcome_of, table

pytestmark = [pytest.mark.processes, pytest.mark.slow]
OPTIONS = ("--target", "t", "--model", "mlp", "--epochs", "6", "--processes", "2", "--quiet")
# A checkpoint before every dispatch, of few steps each.
SAVES = """
from descend.engine import pace, timed
timed.Clock.is_due = lambda *_: True
"""
MAIN = "from descend.cli import main; main()"


class Command:
    """`descend fit` in two processes that a thread watches, in a folder."""

    def __init__(self, *arguments, prepare=SAVES, watch=lambda supervisor: None):
        self.said = []
        self.supervisor = Supervisor(["fit", *arguments], 2, self.said.append)
        before, children.RUN = children.RUN, prepare + MAIN
        thread = threading.Thread(target=watch, args=(self.supervisor,))
        thread.start()
        try:
            self.code = self.supervisor.run()
        finally:
            children.RUN = before
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a table is, and the run `whole` of two processes that nobody disturbed."""
    folder = tmp_path_factory.mktemp("divided")
    table(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        command = Command("table.csv", *OPTIONS, "--out", "whole")
        assert (command.code, command.said) == (0, [])
        yield folder


@pytest.fixture(autouse=True)
def in_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", 0.01)


@pytest.fixture(scope="module")
def whole(folder):
    return outcome_of(folder / "whole")


def facts(run):
    return json.loads((Path(run) / "metrics.json").read_text())


def is_saved(run):
    return (Path(run) / "checkpoints" / "mlp.safetensors").exists()


def when_saved(run, act):
    """A watch that does something to the processes once there is a checkpoint."""

    def watch(supervisor):
        while not is_saved(run):
            time.sleep(0.01)
        act(supervisor._children.each)

    return watch


def test_as_one_process(whole):
    """The same but for rounding, as the same rows come in the same order."""
    assert whole["metrics"]["processes"] == 2
    options = [word for word in OPTIONS if word not in ("--processes", "2")]
    command = [sys.executable, "-P", "-c", MAIN, "fit", "table.csv", *options, "--out", "one"]
    assert subprocess.run(command, check=False).returncode == 0
    two, one = (pd.read_parquet(f"{run}/history.parquet") for run in ("whole", "one"))
    assert len(two) == len(one)
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-3)


def test_killed_at_random(whole):
    """Any of them, at moments from the first line to the last file."""
    moments, seconds = random.Random(0), 1.5 * facts("whole")["seconds"] + 5
    for number in range(times(2)):
        victim, after = number % 2, moments.uniform(0, seconds)

        def kill(supervisor, victim=victim, after=after):
            time.sleep(after)
            if victim < len(each := supervisor._children.each):
                each[victim].process.kill()

        command = Command("table.csv", *OPTIONS, "--out", f"killed-{number}", watch=kill)
        assert command.code == 0, command.said
        assert outcome_of(Path(f"killed-{number}")) == whole


@pytest.mark.parametrize("victim", [0, 1])
def test_killed_while_training(whole, victim):
    kill = lambda each: each[victim].process.kill()
    command = Command("table.csv", *OPTIONS, "--out", f"midway-{victim}", watch=when_saved(f"midway-{victim}", kill))
    assert command.code == 0
    assert [line.partition(":")[0] for line in command.said] == [f"process {victim} was ended by SIGKILL"]
    assert outcome_of(Path(f"midway-{victim}")) == whole


def test_stopped_for_long(whole):
    """Others miss its sign of life after 20 seconds, and all begin anew."""
    stop = lambda each: each[1].process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    command = Command("table.csv", *OPTIONS, "--out", "stopped", watch=when_saved("stopped", stop))
    assert command.code == 0
    assert len(command.said) == 1
    assert time.monotonic() - begin < 120
    assert outcome_of(Path("stopped")) == whole


def test_interrupted_and_resumed(whole):
    """Saved once, with a model that can be used, as by one process."""
    ask = lambda each: os.kill(os.getpid(), signal.SIGINT)
    waits = SAVES + """
import itertools, time
from descend.engine import interruption
looks = itertools.count(1)
def is_due(*_):
    late = next(looks) > 2
    while late and not interruption._heard[-1].is_set(): time.sleep(0.01)
    return True
timed.Clock.is_due = is_due
"""
    command = Command("table.csv", *OPTIONS, "--out", "asked", prepare=waits, watch=when_saved("asked", ask))
    assert (command.code, command.said) == (130, [])
    asked = facts("asked")
    assert (asked["reason"], asked["steps"] < whole["metrics"]["steps"]) == ("interrupted", True)
    assert asked["evidence"].startswith("Ctrl-C in process 0 after")
    assert Command("table.csv", *OPTIONS, "--out", "asked", "--resume").code == 0
    assert outcome_of(Path("asked")) == whole


def launched(run, prepare="", tasks=2):
    """What became of the tasks of a step, as `srun` starts them: their exit codes and complaints."""
    port = str(children.free_port())
    told = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": str(tasks),
            # All addresses of the machine, as JAX has it, may not be there in a container.
            "JAX_COORDINATOR_PORT": port, "JAX_COORDINATOR_BIND_ADDRESS": f"127.0.0.1:{port}", "JAX_PLATFORMS": "cpu"}
    words = [word for word in OPTIONS if word not in ("--processes", "2")]
    command = [sys.executable, "-P", "-c", prepare + MAIN, "fit", "table.csv", *words, "--on", "slurm", "--out", run]
    each = [subprocess.Popen(command, env=os.environ | told | {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)},
                             stderr=subprocess.PIPE, text=True) for i in range(tasks)]
    complaints = [task.communicate()[1] for task in each]
    return [task.returncode for task in each], complaints


def test_a_launchers_tasks(whole):
    """As those that `descend` starts itself, to the last bit."""
    assert launched("step") == ([0, 0], ["", ""])
    assert outcome_of(Path("step")) == whole


def test_a_launchers_task_is_killed(whole):
    """The other one ends by itself, with the reason or by JAX; given again, the command goes on."""
    dies = SAVES + """
import os, signal
from descend.engine.train_state import TrainState
arrays = TrainState._arrays
def dying(self):
    if self.run.step > 8 and os.environ["SLURM_PROCID"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return arrays(self)
TrainState._arrays = dying
"""
    (first, second), _ = launched("step-killed", dies)
    assert (first in (75, -signal.SIGABRT), second) == (True, -signal.SIGKILL)
    assert is_saved("step-killed")
    assert launched("step-killed", "import sys; sys.argv.append('--resume'); ")[0] == [0, 0]
    assert outcome_of(Path("step-killed")) == whole


def test_all_models(folder):
    """The first alone solves the linear model, beside the steps."""
    options = ("--target", "t", "--fast", "--seconds", "5", "--processes", "2", "--quiet")
    assert Command("table.csv", *options, "--out", "both").code == 0
    assert set(facts("both")["validation"]) == {"linear", "mlp"}


def test_other_data(folder, capfd):
    """Refused by all, in the words of the first."""
    rows = Path("table.csv").read_text()
    Path("other.csv").write_text(rows.replace("1", "2", 1))
    other = "import os, sys\nif os.environ['DESCEND_PROCESS'].startswith('1'): sys.argv[2] = 'other.csv'\n"
    command = Command("table.csv", *OPTIONS, "--out", "other", prepare=other)
    assert (command.code, command.said) == (2, [])
    assert "process 1 was given other settings than process 0: data" in capfd.readouterr().err
    assert not Path("other").exists()


def test_other_numbers(folder, capfd):
    """A process whose numbers differ in a bit is told of at the next save, and nothing worse is saved."""
    flips = SAVES + """
import os
from descend.engine.train_state import TrainState
arrays = TrainState._arrays
def flipped(self):
    found = arrays(self)
    if self.run.step > 5 and os.environ["DESCEND_PROCESS"].startswith("1"):
        name = next(name for name in found if name.startswith("state/params"))
        found[name] = found[name] + 1e-6
    return found
TrainState._arrays = flipped
"""
    command = Command("table.csv", *OPTIONS, "--out", "flipped", prepare=flips)
    assert (command.code, command.said) == (2, [])
    told = r"after \d+ steps, process 1 has other numbers than process 0 in state/params"
    assert re.search(told, capfd.readouterr().err)
