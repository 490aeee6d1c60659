"""Trainings of plain PyTorch modules that are killed and resumed: the numbers in the end are those of one that was
never interrupted, to the bit. LeNet, a small GPT and a recurrent network, on pictures and on a text."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch", reason="trains PyTorch's modules: pip install 'descend[peers]'")

pytestmark = [pytest.mark.peers, pytest.mark.data, pytest.mark.processes, pytest.mark.slow]

STEPS = 120
# Checkpoints that are written before a training is killed, each time.
MOMENTS = (1, 2, 4, 3)
SCRIPT = """
import json, sys
from hashlib import sha256
import torch
torch.set_num_threads(1)
from benchmarks._torch_networks import WORKLOADS
from descend.engine import timed
from descend.torch import ModuleTrainer
timed.Clock.is_due = lambda *_: True
workload, (data, held_out) = WORKLOADS[int(sys.argv[1])], WORKLOADS[int(sys.argv[1])].data()
torch.manual_seed(int(sys.argv[4]))
if sys.argv[3] == "loader":
    torch.manual_seed(0)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data), workload.batch_size, shuffle=True)
size = {} if sys.argv[3] == "loader" else {"batch_size": workload.batch_size}
trainer = ModuleTrainer.begin(
    workload.module(), workload.loss, data, steps=int(sys.argv[5]), stop=[],
    validation=tuple(part[:64] for part in held_out), validate_every=50,
    checkpoint=sys.argv[2], resume=True, snapshots=True, **size)
begun = trainer.run.step
result = trainer.to_the_end()
told = sha256()
for tensor in (*result.params.values(), *result.state.values()):
    told.update(tensor.numpy().tobytes())
told.update(result.history["loss"].tobytes())
print(json.dumps({"numbers": told.hexdigest(), "step": trainer.run.step, "begun": begun}))
"""


def started(workload, path, how, seed=0):
    """A process that trains, from where its checkpoint stands."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    told = [str(each) for each in (workload, path, how, seed, STEPS)]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *told], env=environment, stdout=subprocess.PIPE, text=True)


def finished(process):
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return json.loads(said.splitlines()[-1])


def killed_after(process, path, count):
    """Kill it when it has written so many checkpoints more; False if it came to its end before."""
    seen, last = 0, path.stat().st_mtime_ns if path.exists() else 0
    while seen < count and process.poll() is None:
        now = path.stat().st_mtime_ns if path.exists() else 0
        seen, last = seen + (now != last), now
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("workload", "how"), [(0, "loader"), (1, "tensors"), (2, "tensors")])
def test_a_training_that_is_killed_ends_at_the_same_bits(workload, how, tmp_path):
    whole = finished(started(workload, tmp_path / "whole", how))
    assert whole["step"] == STEPS
    kills = 0
    for i, count in enumerate(MOMENTS):
        # Each process begins from other weights, of which nothing may be left.
        kills += killed_after(started(workload, tmp_path / "killed", how, seed=i), tmp_path / "killed", count)
    assert kills >= 2
    resumed = finished(started(workload, tmp_path / "killed", how, seed=9))
    assert resumed["begun"] > 0
    assert resumed["numbers"] == whole["numbers"]
