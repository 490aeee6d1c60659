"""What it costs to look into a run.

LeNet on 2,000 pictures of Fashion-MNIST, after 100 steps: its loss on a plane of 41×41 points, beside a bare loop over
a jitted function (of 99 points, the seconds multiplied), and by how much memory grows meanwhile, beside the pictures
themselves. 30 products of Lanczos's method on 256 pictures, beside hessian-eigenthings on PyTorch's twin of the
network, on as many threads as there are cores. `watch=`: a step of a perceptron 64-32-10 and of LeNet, on batches of
64, that records the norms of all parameters, beside one that does not. The verdict at the end of a training, the first
in its process, so that all is compiled that it needs, beside a twentieth of the training's seconds: of LeNet, and of a
table's perceptrons (digits); of few steps, and of so many that the curvature is looked at.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from sklearn.datasets import load_digits

import descend
from benchmarks import engine
from benchmarks._images import fashion_mnist
from benchmarks._rows import Row, alternately
from descend._tree import join, split
from descend.engine import programs
from descend.insight import landscape, spectrum, verdict
from descend.neural._lenet import LeNet
from descend.tasks.common.reading import read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.networks import training as networks
from descend.tasks.table.perceptron import MLP
from descend.tasks.table.task import table_task

PACKAGES = ("descend", "jax", "hessian-eigenthings", "torch", "numpy")
PICTURES, FEW, POINTS, PRODUCTS = 2_000, 256, 41, 30
BARE = 99  # points of the bare loop
SETTINGS: dict[str, Any] = {"optimizer": descend.SGD(0.1), "batch_size": 64, "stop": []}


def rows() -> Iterator[Row]:
    """What is looked at, and what is watched."""
    images, classes = fashion_mnist()
    X = (images[:PICTURES].reshape(-1, 28, 28, 1) / 255 - 0.3).astype(np.float32)
    data = X, classes[:PICTURES].astype(np.int32)
    network = LeNet.drawn((28, 28, 1), 10, 0.0, 1.0, 0.0, np.random.default_rng(0))
    fit = descend.minimize(loss, network, data, steps=100, snapshots=True, **SETTINGS)
    yield from _plane(fit, data)
    yield from _products(fit, data)
    features, target = load_digits(return_X_y=True)
    small = features.astype(np.float32) / 16, target.astype(np.int32)
    yield from _watched("MLP 64-32-10", engine.loss, engine.start(), small, 20_000)
    yield from _watched("LeNet", loss, network, data, 200)
    yield from _judged("LeNet", (300, 5_000), {"loss": loss, "params": network, "data": data, **SETTINGS,
                                               "batch_size": FEW})
    yield from _judged("a table's network", (1_300, 40_000), _of_a_table())


def loss(network: LeNet, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Cross-entropy of LeNet on a batch."""
    scores, _ = network(batch[0], None, None)
    return descend.losses.softmax_cross_entropy(scores, batch[1]).mean()


def _plane(fit: descend.Result, data: Any) -> Iterator[Row]:
    landscape(fit, data, points=2)
    before, begin = _peak(), time.perf_counter()
    seen = landscape(fit, data, points=POINTS)
    seconds, grown = time.perf_counter() - begin, _peak() - before
    numbers, rest = split(fit.run.params)
    at = jax.jit(lambda t, numbers, data: loss(join(jax.tree.map(lambda a: a + t * a, numbers), rest), data))
    float(at(0.0, numbers, data))
    begin = time.perf_counter()
    for t in np.linspace(-1, 1, BARE):
        float(at(t, numbers, data))
    bare = (time.perf_counter() - begin) * seen.loss.size / BARE
    workload = f"LeNet, {PICTURES:,} pictures, {POINTS}×{POINTS} points"
    yield Row(workload, "bare loop", "time", "s", seconds, bare)
    yield Row(workload, "the pictures", "memory", "MB", max(grown, 1e-3), data[0].nbytes / 1e6)


def _products(fit: descend.Result, data: Any) -> Iterator[Row]:
    import hessian_eigenthings as eigenthings
    import torch

    few = data[0][:FEW], data[1][:FEW]
    torch.set_num_threads(os.cpu_count() or 1)
    nn = torch.nn
    twin = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    batch = torch.tensor(few[0].transpose(0, 3, 1, 2)), torch.tensor(few[1], dtype=torch.long)
    hessian = eigenthings.HessianOperator(twin, [batch], eigenthings.supervised_loss(nn.CrossEntropyLoss()))
    ours, theirs = alternately([
        lambda: spectrum(fit, few, products=PRODUCTS, batches=1),
        lambda: eigenthings.lanczos(hessian, k=2, max_iter=PRODUCTS, seed=0),
    ], 3, pause=0.03)
    yield Row(f"LeNet, {FEW} pictures, {PRODUCTS} products", "hessian-eigenthings", "time", "s", ours, theirs)


def _watched(name: str, loss: Callable[..., Any], start: Any, data: Any, steps: int) -> Iterator[Row]:
    """Steps of kept runs, so that nothing but steps is measured; the median of the ratios of neighbours."""
    settings = {key: value for key, value in SETTINGS.items() if key != "stop"}
    runs = [descend.begin(loss, start, data, watch=watch, **settings) for watch in ("*", None)]
    each: list[list[float]] = []
    for _ in range(11):
        each.append([])
        for run in runs:
            begin = time.perf_counter()
            run.advance(steps)
            each[-1].append(1e6 * (time.perf_counter() - begin) / steps)
    plain = statistics.median(without for _, without in each[1:])
    ratio = statistics.median(watched / without for watched, without in each[1:])
    yield Row(f"{name}, batch 64, SGD", "without watch=", "time", "us/step", plain * ratio, plain)


def _judged(name: str, lengths: tuple[int, int], settings: dict[str, Any]) -> Iterator[Row]:
    """The verdict on a short training and on a long one; what one of them compiled is forgotten before the next."""
    for steps in lengths:
        programs.forget()
        result = descend.minimize(**settings, steps=steps)
        begin = time.perf_counter()
        found = verdict(result)
        seconds = time.perf_counter() - begin
        with_curvature = ", with curvature" if found.curvature else ""
        yield Row(f"verdict, {name}, {steps:,} steps{with_curvature}", "a twentieth of the training", "time", "s",
                  seconds, result.seconds / 20)


def _of_a_table() -> dict[str, Any]:
    """What the perceptrons of a table are trained with."""
    prepared = table_task(read_table("sample:digits"), Settings("target")).prepare()
    descent = networks.descent(MLP, prepared, Settings("target"), networks.bins_of(MLP, prepared))
    return {**descent, "epochs": None, "stop": []}


def _peak() -> float:
    """Megabytes that this process has had at the most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
