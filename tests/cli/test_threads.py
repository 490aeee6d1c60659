"""How many threads XLA has where a table is fitted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from descend.cli import _threads

TASKS = Path("/proc/self/task")
COUNT = """
import jax, pathlib
jax.devices()
print(sum(path.read_text().strip() == "tf_XLAEigen" for path in pathlib.Path("/proc/self/task").glob("*/comm")))
"""


@pytest.fixture
def untold(monkeypatch):
    """Nobody has said how many, and XLA has not started."""
    for name in _threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_threads.xla_bridge, "backends_are_initialized", lambda: False)


def test_one_where_nobody_says(untold):
    _threads.one_for_each_step()
    assert os.environ["PJRT_NPROC"] == "1"


@pytest.mark.parametrize("name", _threads.VARIABLES)
def test_as_many_as_somebody_says(untold, monkeypatch, name):
    monkeypatch.setenv(name, "3")
    _threads.one_for_each_step()
    found = {told: os.environ.get(told) for told in _threads.VARIABLES}
    assert found == dict.fromkeys(_threads.VARIABLES) | {name: "3"}


def test_nothing_is_said_to_what_has_started(untold, monkeypatch):
    monkeypatch.setattr(_threads.xla_bridge, "backends_are_initialized", lambda: True)
    _threads.one_for_each_step()
    assert "PJRT_NPROC" not in os.environ


@pytest.mark.processes
@pytest.mark.skipif(not TASKS.exists(), reason="the system does not list threads")
@pytest.mark.parametrize("threads", ["1", "3"])
def test_xla_has_as_many_as_it_is_told(threads):
    told = subprocess.run([sys.executable, "-c", COUNT], env=os.environ | {"PJRT_NPROC": threads}, check=True,
                          capture_output=True, text=True)
    assert told.stdout.split() == [threads]


@pytest.mark.parametrize(("options", "told"), [((), "1"), (("--width", "16"), None)])
def test_a_fit_of_a_table_has_one(descend, houses, monkeypatch, untold, options, told):
    """Unless somebody says how wide its network is: then all cores may be worth it."""
    monkeypatch.setattr("descend.cli.fit._fit", lambda task, **how: None)
    assert descend("fit", houses, "--target", "price", *options).code == 0
    assert os.environ.get("PJRT_NPROC") == told
