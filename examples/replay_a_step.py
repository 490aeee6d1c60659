"""Why did this step raise the loss? Replay it with one thing changed: nothing that is done with a run changes it."""

import jax.numpy as jnp
import numpy as np

from descend import SGD, begin

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 4)) * [1.0, 1.0, 1.0, 6.0]  # one column in other units
y = X @ [1.0, -1.0, 0.5, 0.2] + 0.1 * rng.normal(size=500)


def loss(w, batch):
    """Of a linear regression, of some rows."""
    rows, targets = batch
    return jnp.mean((rows @ w - targets) ** 2)


run = begin(loss, np.zeros(4), (X, y), optimizer=SGD(0.03), batch_size=50)
runs = [run]
while runs[-1].step < 12:
    runs.append(runs[-1].advance(1)[0])

everything = [run.loss((X, y)) for run in runs]
worst = int(np.argmax(np.diff(everything)))
before = runs[worst]
print(f"step {worst} took the loss from {everything[worst]:.4g} to {everything[worst + 1]:.4g}; the same step")
for what, changed in {
    "as it was": before,
    "at a third of the rate": before.fork(learning_rate=0.01),
    "with another batch": before.fork(seed=1),
    "with all rows": before.fork(batch_size=len(X)),
}.items():
    print(f"  {what:24} leads to {changed.advance(1)[0].loss((X, y)):.4g}")
