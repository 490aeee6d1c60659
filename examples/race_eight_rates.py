"""Race eight learning rates, from one start and over the same batches: eight forks of a run, advanced together."""

import jax
import numpy as np
from sklearn.datasets import load_digits

import descend
from descend import Adam, advance_many, begin

features, target = load_digits(return_X_y=True)
data = (features.astype(np.float32) / 16, target)
rng = np.random.default_rng(0)
start = {"hidden": rng.normal(0, 64**-0.5, (64, 32)), "bias": np.zeros(32), "out": rng.normal(0, 32**-0.5, (32, 10))}


def loss(params, batch):
    """Cross-entropy of a perceptron."""
    pixels, digit = batch
    hidden = jax.nn.relu(pixels @ params["hidden"] + params["bias"])
    return descend.losses.softmax_cross_entropy(hidden @ params["out"], digit).mean()


run = begin(loss, start, data, optimizer=Adam(0.01), batch_size=64)
rates = np.geomspace(1e-4, 1.0, 8)
forks = [run.fork(learning_rate=float(rate)) for rate in rates]
for rate, (ahead, trace) in zip(rates, advance_many(forks, 500), strict=True):
    last = np.median(trace.columns["loss"][-50:])
    print(f"{rate:8.2g}  loss of the last batches {last:7.4f}  of all digits {ahead.loss(data):7.4f}")
