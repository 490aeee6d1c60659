"""A descent in several pods: `python train.py 2` in each of two, which Kubeflow Trainer tells who they are."""

import os
import sys

import jax
import jax.numpy as jnp
import numpy as np

from descend import Adam, minimize
from descend.sources import GlobalBatches

asked = int(sys.argv[1])
jax.config.update("jax_cpu_collectives_implementation", "gloo")
if os.environ.get("JAX_NUM_PROCESSES", "1") != "1":
    # JAX reads JAX_COORDINATOR_ADDRESS by itself, and neither of these.
    jax.distributed.initialize(num_processes=int(os.environ["JAX_NUM_PROCESSES"]),
                               process_id=int(os.environ["JAX_PROCESS_ID"]), cluster_detection_method="deactivate")
if jax.process_count() != asked:
    sys.exit(f"error: train.py: {jax.process_count()} of {asked} processes are connected, so that each would train "
             "alone: see JAX_NUM_PROCESSES, JAX_PROCESS_ID and JAX_COORDINATOR_ADDRESS of this pod")


def loss(w, batch):
    """Of a linear regression, of some rows."""
    return jnp.mean((batch["x"] @ w - batch["y"]) ** 2)


mine = np.random.default_rng(jax.process_index())  # each process has rows of its own
x = mine.normal(size=(500, 3)).astype(np.float32)
data = GlobalBatches({"x": x, "y": x @ np.float32([1.0, -2.0, 0.5])}, 50 * asked)
fit = minimize(loss, np.zeros(3, np.float32), data, optimizer=Adam(0.05), epochs=30)
print(f"process {jax.process_index()} of {jax.process_count()}: {np.round(np.asarray(fit.params), 3)}")
