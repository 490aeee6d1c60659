"""What numbers do not depend on: docs/determinism.md."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trained_all
from trainings import KINDS, outcome_of

pytestmark = [pytest.mark.processes, pytest.mark.slow]
ONE = {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Kolkata", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
       "OPENBLAS_NUM_THREADS": "1", "JAX_ENABLE_X64": "1"}  # fmt: skip
OTHER = {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "America/Lima"}


def trained(folder, surroundings, *options, before=None):
    command = [sys.executable, trained_all.__file__, folder, *options]
    subprocess.run(command, env=os.environ | surroundings, check=True, preexec_fn=before)


def test_surroundings_that_no_number_depends_on(tmp_path: Path) -> None:
    """The same command again; begun in one environment, killed, and resumed in another one."""
    trained(tmp_path / "whole", {})
    trained(tmp_path / "resumed", ONE, "--dies")
    trained(tmp_path / "resumed", OTHER)
    for kind in KINDS:
        whole, resumed = (outcome_of(tmp_path / name / kind / "run") for name in ("whole", "resumed"))
        assert whole == resumed, kind
    whole, resumed = (np.load(tmp_path / name / "minimize" / "minimize.npz") for name in ("whole", "resumed"))
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not choose cores")
def test_a_linear_model_is_the_same_on_one_core(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    for name, chosen in (("all", cores), ("one", {min(cores)})):
        trained(tmp_path / name, {}, "--kinds", "linear", before=lambda chosen=chosen: os.sched_setaffinity(0, chosen))
    assert outcome_of(tmp_path / "all" / "linear" / "run") == outcome_of(tmp_path / "one" / "linear" / "run")
