"""The same by Ray Train, on CPUs: `python ray_train.py` has two workers join each other, and see that they did."""

import socket

from ray.train import ScalingConfig, collective, get_context
from ray.train.v2.jax import JaxTrainer
from ray.util import get_node_ip_address

WORKERS = 2


def join() -> None:
    """Meet the other workers: JaxTrainer has TPUs and GPUs meet, and leaves workers on CPUs alone without a word."""
    import jax

    with socket.socket() as opened:
        opened.bind(("", 0))
        port = opened.getsockname()[1]
    address = collective.broadcast_from_rank_zero(f"{get_node_ip_address()}:{port}")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, WORKERS, get_context().get_world_rank(), cluster_detection_method="deactivate")


def train() -> None:
    """What each worker does."""
    join()
    import jax
    import jax.numpy as jnp
    import numpy as np

    from descend import Adam, minimize
    from descend.sources import GlobalBatches

    if jax.process_count() != WORKERS:
        raise RuntimeError(f"ray_train.py: {jax.process_count()} of {WORKERS} processes are connected, so that each "
                           "would train alone: let join() come first, before anything that asks JAX for its devices")
    x = np.random.default_rng(jax.process_index()).normal(size=(500, 3)).astype(np.float32)
    data = GlobalBatches({"x": x, "y": x @ np.float32([1.0, -2.0, 0.5])}, 50 * WORKERS)
    loss = lambda w, batch: jnp.mean((batch["x"] @ w - batch["y"]) ** 2)
    fit = minimize(loss, np.zeros(3, np.float32), data, optimizer=Adam(0.05), epochs=30)
    print(f"process {jax.process_index()} of {jax.process_count()}: {np.round(np.asarray(fit.params), 3)}")
    jax.distributed.shutdown()


if __name__ == "__main__":
    JaxTrainer(train, scaling_config=ScalingConfig(num_workers=WORKERS)).fit()
