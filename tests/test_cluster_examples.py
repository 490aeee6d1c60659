"""The examples for clusters: a manifest that is one, and scripts that go on only where processes are connected."""

import ast
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import jax
import pytest

CLUSTER = Path(__file__).parents[1] / "examples" / "cluster"
ASKED = 2
COLLECTIVES = jax.config.jax_cpu_collectives_implementation


@pytest.fixture
def collectives():
    yield
    jax.config.update("jax_cpu_collectives_implementation", COLLECTIVES)


def test_the_manifest_asks_for_as_many_as_the_script_is_told():
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((CLUSTER / "trainjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    # The runtime and its plugin, by these names, are in kubeflow/trainer (manifests/base/runtimes).
    assert job["spec"]["runtimeRef"] == {"name": "jax-distributed"}
    trainer = job["spec"]["trainer"]
    assert trainer["numNodes"] == ASKED
    assert trainer["command"] == ["python", "/app/train.py", str(ASKED)]


@pytest.mark.parametrize("told", [None, "1"])
def test_a_process_alone_refuses_to_train(collectives, monkeypatch, told):
    """Also where the runtime has said nothing, as one that is not JAX's does."""
    monkeypatch.delenv("JAX_NUM_PROCESSES", raising=False)
    if told:
        monkeypatch.setenv("JAX_NUM_PROCESSES", told)
    monkeypatch.setattr(sys, "argv", ["train.py", str(ASKED)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(CLUSTER / "train.py"))
    assert str(ended.value).startswith("error: train.py: 1 of 2 processes are connected")
    assert "\n" not in str(ended.value)


def test_a_worker_of_ray_alone_refuses_to_train():
    """What Ray would run, without Ray, and without having joined."""
    tree = ast.parse((CLUSTER / "ray_train.py").read_text())
    kept = [node for node in tree.body if isinstance(node, ast.Assign | ast.FunctionDef)
            and ast.unparse(node).startswith(("WORKERS", "def train"))]
    names = {"join": lambda: None}
    exec(compile(ast.Module(kept, []), "ray_train.py", "exec"), names)
    with pytest.raises(RuntimeError, match="1 of 2 processes are connected, so that each would train alone"):
        names["train"]()


@pytest.mark.processes
def test_two_processes_that_are_told_who_they_are_make_one_model():
    """With the variables that Kubeflow Trainer sets."""
    with socket.socket() as opened:
        opened.bind(("localhost", 0))
        port = opened.getsockname()[1]
    told = {"JAX_NUM_PROCESSES": str(ASKED), "JAX_COORDINATOR_ADDRESS": f"localhost:{port}", "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(CLUSTER / "train.py"), str(ASKED)]
    each = [subprocess.Popen(command, env=os.environ | told | {"JAX_PROCESS_ID": str(index)}, text=True,
                             stdout=subprocess.PIPE) for index in range(ASKED)]
    lines = [process.communicate(timeout=300)[0].splitlines()[-1] for process in each]
    assert [line.split(": ")[0] for line in lines] == ["process 0 of 2", "process 1 of 2"]
    # The same numbers in both, which are those that the rows were made with.
    assert len({line.split(": ")[1] for line in lines}) == 1
    found = [float(number) for number in lines[0].split(": ")[1].strip("[]").split()]
    assert found == pytest.approx([1.0, -2.0, 0.5], abs=0.05)
