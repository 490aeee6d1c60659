"""A descent that is divided among processes or devices is the one that a process makes alone."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import divided
from descend import Adam, minimize
from descend.engine.storing import read_arrays

pytestmark = pytest.mark.processes
TRAINED = ["whole", "whole on each", "lbfgs", "validated", "target", "auto", "noisy", "resumed", "loaded"]
OF_SEVERAL = ["whole of own", "loader", "loader resumed", "seconds", "interrupted"]
SECONDS = 300


def started(folder, index, count, port, *more, flags=""):
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()}
    paths = [str(Path(divided.__file__).parent), *sys.path]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, divided.__file__, str(folder), str(index), str(count), str(port), *more]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(processes):
    """Wait for the end of all of them; if one fails, none is waited for any more."""
    try:
        for process in processes:
            said, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            with process:
                process.kill()


def free_port():
    with socket.socket() as opened:
        opened.bind(("localhost", 0))
        return opened.getsockname()[1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What this process trains, from arrays that are its own."""
    folder = tmp_path_factory.mktemp("alone")
    return {name: divided.said(result) for name, result in divided.trained(lambda table: table, folder)}


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """The folder of a process with eight devices."""
    folder = tmp_path_factory.mktemp("eight")
    ended([started(folder, 0, 1, 0, flags="--xla_force_host_platform_device_count=8")])
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of two processes, of one device each."""
    folder, port = tmp_path_factory.mktemp("two"), free_port()
    ended([started(folder, i, 2, port) for i in range(2)])
    return folder


def told(folder, name, index=0):
    with np.load(folder / f"{name}-{index}.npz") as arrays:
        return dict(arrays), json.loads((folder / f"{name}-{index}.json").read_text())


def assert_as_alone(folder, name, alone):
    (mine, of_mine), (theirs, of_theirs) = alone[name], told(folder, name)
    assert of_theirs["step"] == of_mine["step"]
    assert of_theirs.get("name") == of_mine.get("name")
    assert of_theirs.get("rate") == of_mine.get("rate")
    assert mine.keys() == theirs.keys()
    for key in mine:
        # Sums over devices are added up in another order; Adam magnifies that where a gradient is near nothing.
        np.testing.assert_allclose(theirs[key], mine[key], rtol=1e-4, atol=1e-5, err_msg=key)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


class TestEightDevices:
    @pytest.mark.parametrize("name", TRAINED)
    def test_as_one(self, eight, alone, name):
        assert_as_alone(eight, name, alone)

    def test_steps_are_divided(self, eight):
        """Of a batch of 64 rows, each device makes products of 8."""
        found = told(eight, "compiled")[1]["products"]
        assert f"f32[{64 // 8},{divided.HIDDEN}]" in found
        assert not any(shape.startswith(("f32[64,", f"f32[{divided.ROWS},")) for shape in found)

    def test_devices_only_add_up(self, eight):
        """Not all other ways to talk to each other are sound between processes."""
        assert told(eight, "compiled")[1]["talks"] == ["all-reduce"]

    def test_hashes(self, eight):
        """They do not depend on how a table is divided, and on all that is in it."""
        found = told(eight, "hashes")[1]["hashes"]
        assert all(len(set(of_one)) == 1 for of_one in found["one"])
        assert len({of_one[0] for of_one in found["one"]} | set(found["others"])) == len(found["one"]) + 3

    def test_goes_on_with_another_number(self, eight, tmp_path):
        """The checkpoint of eight devices, on one."""
        saved = shutil.copy(eight / "files-0" / "run", tmp_path)
        one = divided.over(1)(divided.TABLE)
        settings = {"optimizer": Adam(0.02), "batch_size": 64, "steps": 34, "checkpoint": saved, "resume": True}
        with pytest.warns(UserWarning, match="divided among was '8 devices of 1 processes'"):
            fit = minimize(divided.perceptron, divided.WEIGHTS, one, **settings)
        assert (fit.reason.name, fit.run.step) == ("budget", 34)
        np.testing.assert_array_equal(fit.history["loss"][:30], told(eight, "resumed")[0]["loss"])

    def test_resumed(self, eight):
        assert_same(told(eight, "loaded")[0], {k: v for k, v in told(eight, "resumed")[0].items() if k != "loss"})
        np.testing.assert_array_equal(told(eight, "resumed")[0]["loss"], told(eight, "validated")[0]["loss"])


@pytest.mark.slow
class TestTwoProcesses:
    @pytest.mark.parametrize("name", [*TRAINED, *OF_SEVERAL])
    def test_the_same_on_both(self, two, name):
        (first, of_first), (second, of_second) = (told(two, name, i) for i in range(2))
        assert_same(first, second)
        assert of_first == of_second

    @pytest.mark.parametrize("name", TRAINED)
    def test_as_one(self, two, alone, name):
        assert_as_alone(two, name, alone)

    def test_resumed(self, two):
        """Bit for bit, though the second process has no file."""
        assert_same(told(two, "loaded")[0], {k: v for k, v in told(two, "resumed")[0].items() if k != "loss"})
        np.testing.assert_array_equal(told(two, "resumed")[0]["loss"], told(two, "validated")[0]["loss"])
        assert_same(told(two, "loader")[0], told(two, "loader resumed")[0])

    def test_one_writes(self, two):
        assert {"run", "run.older", "verb", "asked", "loader"} <= {file.name for file in (two / "files-0").iterdir()}
        assert list((two / "files-1").iterdir()) == []

    def test_own_rows(self, two, alone):
        """All of them at each step are the whole data."""
        np.testing.assert_allclose(told(two, "whole of own")[0]["loss"], alone["whole"][0]["loss"], rtol=1e-5)

    def test_ends(self, two):
        """By the clock of the first, and the signal of any."""
        facts = told(two, "seconds")[1]
        assert facts["name"] == "budget"
        assert 2.0 <= facts["seconds"] <= 4.0
        facts = told(two, "interrupted")[1]
        assert facts["reason"] == f"interrupted: Ctrl-C in process 1 after {facts['step']} steps"

    @pytest.mark.parametrize(("what", "words"), [
        ("seed", "process 1 was given other settings than process 0: seed 1 and 0"),
        ("parameters", "process 1 was given other settings than process 0: parameters of hash"),
        ("loss", "process 1 would make other steps than process 0"),
        ("steps", "process 1 was given other settings than process 0: budget"),
        ("batch size", "a batch of 63 rows cannot be divided among 2 devices"),
        ("shape", "process 1 was given other settings than process 0: data"),
        ("rows", "processes have 192, 191 rows: give each as many"),
        ("parts", "process 1 gave"),
        ("shards", "parameters cannot be divided among several processes: over gloo only sums over devices are sound"),
        ("checkpoint", "belongs to another run: optimizer was"),
    ])  # fmt: skip
    def test_refused(self, two, what, words):
        """By both, in the same words."""
        first, second = (told(two, f"refused {what}", i)[1]["told"] for i in range(2))
        assert words in first
        # Names of files are each one's own.
        assert first.replace("files-0", "files-1") == second.replace("files-0", "files-1")


@pytest.mark.slow
def test_lost(tmp_path):
    """Without one process the descent of the other ends, with its parameters; and the last checkpoint is whole."""
    port = free_port()
    first, second = (started(tmp_path, i, 2, port, "lost") for i in range(2))
    with second:
        assert second.wait(SECONDS) == 9
    said, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, said
    arrays, facts = told(tmp_path, "lost")
    assert facts["name"] == "lost"
    assert facts["reason"].startswith(f"lost: after {facts['step']} steps, another process has ended")
    assert len(arrays["loss"]) == facts["step"] > 0
    assert np.isfinite(arrays["params/['w']"]).all()
    saved, _ = read_arrays(tmp_path / "lost")
    assert saved["state/step"] <= facts["step"]
