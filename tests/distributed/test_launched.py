"""Processes that a cluster's launcher starts: what is told of one that it did not start."""

import sys
from types import ModuleType, SimpleNamespace

import jax
import pytest

from descend.distributed import launched
from descend.distributed.launched import LAUNCHERS, OF_A_STEP, join_launched
from descend.errors import DescendError, InputError, LostError

COLLECTIVES = jax.config.jax_cpu_collectives_implementation


@pytest.fixture
def step(monkeypatch):
    """The environment of a task that `srun` has started."""
    for name in OF_A_STEP:
        monkeypatch.setenv(name, "4")
    yield monkeypatch
    jax.config.update("jax_cpu_collectives_implementation", COLLECTIVES)


def test_a_step_tells_how_many(step):
    assert LAUNCHERS["slurm"].count() == 4


@pytest.mark.parametrize("missing", OF_A_STEP)
def test_a_shell_of_an_allocation_is_no_task(step, missing):
    step.delenv(missing)
    with pytest.raises(InputError, match=f"--on slurm: {missing} is not set, so that srun did not start this process"):
        LAUNCHERS["slurm"].count()


@pytest.mark.parametrize("count", ["0", "two", "-1"])
def test_no_number(step, count):
    step.setenv("SLURM_NTASKS", count)
    with pytest.raises(InputError, match=f"SLURM_NTASKS is '{count}', and should be a number of processes"):
        LAUNCHERS["slurm"].count()


@pytest.fixture
def found(monkeypatch):
    """Whether `mpi4py` is there, in which is what a test puts into it."""
    monkeypatch.setattr(launched, "find_spec", lambda name: name == "mpi4py" or None)
    package, world = ModuleType("mpi4py"), ModuleType("mpi4py.MPI")
    monkeypatch.setitem(sys.modules, "mpi4py", package)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", world)
    return world


def test_a_world_tells_how_many(found):
    found.COMM_WORLD = SimpleNamespace(Get_size=lambda: 3)
    assert LAUNCHERS["mpi"].count() == 3


def test_mpi4py_is_named(monkeypatch):
    monkeypatch.setattr(launched, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="--on mpi needs mpi4py"):
        LAUNCHERS["mpi"].count()


def test_mpi4py_without_mpi(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    with pytest.raises(InputError, match=r"mpi4py finds no MPI \("):
        LAUNCHERS["mpi"].count()


def test_processes_that_do_not_see_each_other(step, monkeypatch):
    """Each would train a whole model, and none would say so."""
    monkeypatch.setattr(jax.distributed, "initialize", lambda **_: None)
    with pytest.raises(DescendError, match="process 0 of 4 sees 1 alone"):
        join_launched("slurm", quiet=False)


def test_others_that_do_not_come(step, monkeypatch):
    def fails(**_):
        raise RuntimeError("DEADLINE_EXCEEDED: nobody came\nand so on")

    monkeypatch.setattr(jax.distributed, "initialize", fails)
    with pytest.raises(LostError, match=r"could not join the others \(DEADLINE_EXCEEDED: nobody came\)"):
        join_launched("slurm", quiet=False)
