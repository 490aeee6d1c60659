"""Processes that a cluster's launcher starts, on one machine or on several; who is who, JAX finds out."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from descend.distributed.member import Member, meet
from descend.errors import InputError

Launcher = Literal["slurm", "mpi"]
STARTERS: dict[Launcher, str] = {"slurm": "srun", "mpi": "mpirun"}
# Machines may begin minutes after each other.
JOIN_SECONDS = 300
# What `srun` tells each process that it starts, and a shell in an allocation is not told.
OF_A_STEP = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")


@dataclass(frozen=True)
class _Kind:
    """`method`: what JAX calls it; `count`: how many processes there are, as it tells them."""

    method: str
    count: Callable[[], int]


def join_launched(launcher: Launcher, quiet: bool = True) -> Member:
    """Meet the other processes that `srun`, or `mpirun`, has started; which one this is.

    Ports and places are JAX's choice: the first process's machine, and a port by the job's number, or the one that
    `JAX_COORDINATOR_PORT` says.

    **Raises** `InputError` for a process that was not started so, `LostError` if some of them do not come, and
    `DescendError` if JAX does not see all of them.
    """
    kind = LAUNCHERS[launcher]
    return meet(kind.count(), quiet, cluster_detection_method=kind.method, initialization_timeout=JOIN_SECONDS)


def _tasks() -> int:
    told = {name: os.environ.get(name, "") for name in OF_A_STEP}
    if missing := [name for name, value in told.items() if not value]:
        raise InputError(f"--on slurm: {missing[0]} is not set, so that srun did not start this process: give the "
                         "command to srun, as in srun --ntasks 4 descend fit …")
    count = told["SLURM_NTASKS"]
    if not count.isdecimal() or int(count) < 1:
        raise InputError(f"--on slurm: SLURM_NTASKS is {count!r}, and should be a number of processes")
    return int(count)


def _ranks() -> int:
    if find_spec("mpi4py") is None:
        raise InputError("--on mpi needs mpi4py, of the same MPI as mpirun: pip install mpi4py")
    try:
        world = import_module("mpi4py.MPI").COMM_WORLD
    except (ImportError, RuntimeError) as error:
        raise InputError(f"--on mpi: mpi4py finds no MPI ({str(error).splitlines()[0]})") from error
    return int(world.Get_size())


LAUNCHERS: dict[Launcher, _Kind] = {"slurm": _Kind("slurm", _tasks), "mpi": _Kind("mpi4py", _ranks)}
