"""A training with all that has a memory at once, killed at random, goes on to the very same end.

Dropout, batch normalisation, an average of the weights, accumulated gradients, half precision and a validation: each of
them keeps something from step to step that a checkpoint could lose.
"""

import random
import signal
import subprocess
import sys
import time

import pytest

from descend.engine.storing import read_arrays

pytestmark = [pytest.mark.processes, pytest.mark.slow]
TRAINING = '''
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from descend import AdamW, minimize
from descend.engine.trainer import Checkpoint
from descend.neural._network import Network
from descend.neural._objective import RandomObjective, Validation
from descend.neural.perceptron import apply_dropout
from descend.optimizers import Accumulate
from descend.schedules import Cosine


class Normalised(Network):
    """A layer with batch normalisation and dropout, and an output."""

    first: jax.Array
    scale: jax.Array
    shift: jax.Array
    last: jax.Array

    def __call__(self, inputs, state, key):
        x = inputs @ self.first
        mean, var = (x.mean(0), x.var(0)) if key is not None else state
        after = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, state, (mean, var)) if key is not None else state
        x = jax.nn.relu((x - mean) / jnp.sqrt(var + 1e-5) * self.scale + self.shift)
        x = x if key is None else apply_dropout(x, 0.3, key)
        return x @ self.last, after


rng = np.random.default_rng(0)
X = rng.normal(size=(1200, 20)).astype(np.float32)
y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(np.int32)
width = 64
draw = lambda m, n: jnp.asarray(rng.normal(0, m**-0.5, (m, n)), jnp.float32)
network = Normalised(draw(20, width), jnp.ones(width), jnp.zeros(width), draw(width, 2))
fit = minimize(
    RandomObjective("classification", smoothing=0.1, half=True),
    network,
    (X[:1000], y[:1000], None),
    state=(jnp.zeros(width), jnp.ones(width)),
    optimizer=Accumulate(AdamW(Cosine(0.01)), batches=3),
    ema=0.99,
    batch_size=32,
    steps=int(sys.argv[2]),
    stop=[],
    validation=Validation("classification", (X[1000:], y[1000:], None), 256),
    checkpoint=Checkpoint(Path(sys.argv[1]), every=0.1),
    resume=True,
    seed=3,
)
assert fit.reason.name == "budget"
'''
PATIENCE = 300  # seconds, for a machine that is busy
STEPS = 5000  # some seconds
KILLS = 2
KEPT = (  # what each feature remembers, by its place in the checkpoint
    "state/carried/key", "state/carried/state/0", "state/carried/state/1", "state/optimizer/own/average/first",
    "state/optimizer/rule/own/gradient/first", "state/optimizer/rule/own/count", "state/optimizer/rule/rule/count",
    "state/cursor/position", "best/0/first", "history/validation/loss",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    (folder / "training.py").write_text(TRAINING)

    def begun(path):
        return subprocess.Popen([sys.executable, folder / "training.py", path, str(STEPS)], stderr=subprocess.PIPE)

    return begun


def ended(process):
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.decode()) == (0, "")


def wait_for_checkpoints(path, process, count):
    """Until so many have been written, besides the one there may be."""
    deadline = time.monotonic() + PATIENCE
    for _ in range(count):
        before = path.stat().st_mtime_ns if path.exists() else None
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)


def killed(process):
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_killed_with_everything_on_and_resumed_is_as_never_killed(program, tmp_path):
    path, moments = tmp_path / "killed", random.Random(0)
    ended(program(tmp_path / "whole"))
    steps = []
    for _ in range(KILLS):
        process = program(path)
        wait_for_checkpoints(path, process, moments.randint(1, 2))
        time.sleep(moments.uniform(0, 0.1))  # into what has not been saved yet, or is being saved
        killed(process)
        steps.append(int(read_arrays(path)[0]["state/step"]))
    assert 0 < steps[0] < steps[1] < STEPS  # each of them had gone on from the one before
    ended(program(path))
    (whole, facts), (resumed, resumed_facts) = read_arrays(tmp_path / "whole"), read_arrays(path)
    assert set(KEPT) <= whole.keys() == resumed.keys()
    for name, array in whole.items():
        assert (resumed[name].dtype, resumed[name].shape) == (array.dtype, array.shape)
        assert resumed[name].tobytes() == array.tobytes(), name
    assert resumed_facts | {"seconds": 0} == facts | {"seconds": 0}

