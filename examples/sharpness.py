"""How sharp is the loss of your model, and is the learning rate below the limit of stability? By power iteration."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_diabetes

from descend import SGD, begin

X, y = (array.astype(np.float32) for array in load_diabetes(return_X_y=True))
X, y = X / X.std(0), (y - y.mean()) / y.std()
rng = np.random.default_rng(0)
start = {"hidden": rng.normal(0, 0.3, (10, 16)), "out": rng.normal(0, 0.3, 16)}


def loss(params, batch):
    """Of a small network."""
    rows, targets = batch
    return jnp.mean((jnp.tanh(rows @ params["hidden"]) @ params["out"] - targets) ** 2)


run = begin(loss, start, (X, y), optimizer=SGD(0.1, momentum=0.9), batch_size=len(X))
for _ in range(5):
    v = jax.tree.map(lambda p: rng.normal(size=p.shape), start)
    for _ in range(40):  # v ← H v / |H v|: the length comes to be the largest curvature
        size = np.sqrt(sum(np.sum(np.square(part)) for part in jax.tree.leaves(v)))
        v = run.hvp(jax.tree.map(lambda part, size=size: part / size, v))
    sharpness = np.sqrt(sum(np.sum(np.square(part)) for part in jax.tree.leaves(v)))
    limit = run.descent.optimizer.stability_limit()
    print(f"step {run.step:4}  loss {run.loss():.4f}  rate × sharpness {0.1 * sharpness:.3f}  limit {limit:.1f}")
    run, _ = run.advance(100)
