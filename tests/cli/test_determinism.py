"""What numbers do not depend on: docs/determinism.md."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trained_all
from trainings import KINDS, outcome_of

pytestmark = [pytest.mark.optimized, pytest.mark.processes, pytest.mark.slow]
ONE = {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Kolkata", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
       "OPENBLAS_NUM_THREADS": "1", "JAX_ENABLE_X64": "1"}  # fmt: skip
OTHER = {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "America/Lima"}


def trained(folder, surroundings, *options):
    command = [sys.executable, trained_all.__file__, folder, *options]
    subprocess.run(command, env=os.environ | surroundings, check=True)


def test_surroundings_that_no_number_depends_on(tmp_path: Path) -> None:
    """Begun in one environment, killed, and resumed in another one; and linear models on one core."""
    trained(tmp_path / "first", {}, "--kinds", "linear", "both")  # code that Numba has just compiled rounds otherwise
    trained(tmp_path / "whole", {})
    trained(tmp_path / "resumed", ONE, "--dies")
    trained(tmp_path / "resumed", OTHER)
    for kind in KINDS:
        whole, resumed = (outcome_of(tmp_path / name / kind / "run") for name in ("whole", "resumed"))
        assert whole == resumed, kind
    whole, resumed = (np.load(tmp_path / name / "minimize" / "minimize.npz") for name in ("whole", "resumed"))
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name])
    if hasattr(os, "sched_setaffinity"):
        trained(tmp_path / "one core", {}, "--kinds", "linear", "--one-core")
        assert outcome_of(tmp_path / "one core" / "linear" / "run") == outcome_of(tmp_path / "whole" / "linear" / "run")
