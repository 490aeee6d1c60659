"""LeNet on Fashion-MNIST with the five schedules of "Dive into Deep Learning", beside the accuracies that it prints.

Section 12.11: gradient descent without momentum, batches of 256, 30 epochs, accuracy on the 10,000 test images. The
book sets the rate once in an epoch, here it changes with each step. Then what a step costs, beside PyTorch at its best:
images with their channels last, a fused optimizer, eager and compiled.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import torch
from torch import nn

import descend
from benchmarks._images import fashion_mnist
from benchmarks._rows import PAUSE, Row, alternately
from descend.neural import ConvClassifier
from descend.neural._lenet import LeNet
from descend.neural._objective import Objective
from descend.schedules import Constant, Cosine, MultiStep, Schedule, SquareRoot

PACKAGES = ("descend", "jax", "torch")
BATCH, EPOCHS = 256, 30
EPOCH = 60_000 / BATCH  # steps
SCHEDULES: dict[str, tuple[Schedule, float]] = {  # and the accuracy in the book
    "constant": (Constant(0.3), 0.877),
    "square root": (SquareRoot(0.1, decay=1 / EPOCH), 0.886),
    "multi-factor": (MultiStep(0.5, milestones=(round(15 * EPOCH), round(30 * EPOCH)), factor=0.5), 0.869),
    "cosine": (Cosine(0.3, steps=round(20 * EPOCH), final=0.01), 0.904),
    "cosine, warm-up": (Cosine(0.3, steps=round(20 * EPOCH), final=0.01, warmup=round(5 * EPOCH)), 0.901),
}
STEPS, REPEATS = 20, 9


def rows() -> Iterator[Row]:
    """A row for each schedule, and those of the time."""
    X, y = fashion_mnist()
    held_out = fashion_mnist("t10k")
    for name, (schedule, printed) in SCHEDULES.items():
        yield Row(f"LeNet, {name}", "d2l, as printed", "test accuracy", "score",
                  lenet(schedule).fit(X, y).score(*held_out), printed)
    yield from _time_of_a_step(X, y)


def lenet(schedule: Schedule, **settings: Any) -> ConvClassifier:
    """The book's network, with nothing that the book has not."""
    return ConvClassifier("lenet", optimizer=descend.SGD(schedule), batch_size=BATCH, random_state=0, shift=0,
                          **{"epochs": EPOCHS, "validation_fraction": 0.0, **settings})


def _time_of_a_step(X: np.ndarray, y: np.ndarray) -> Iterator[Row]:
    ours, eager, compiled = _ours(X, y), _theirs(X, y, False), _theirs(X, y, True)
    seconds = alternately([ours, eager, compiled], REPEATS, PAUSE)
    for name, theirs in (("PyTorch, eager", seconds[1]), ("PyTorch, compiled", seconds[2])):
        yield Row(f"LeNet, batch {BATCH}", name, "time", "ms/step", 1e3 * seconds[0] / STEPS, 1e3 * theirs / STEPS)


def _ours(X: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """Steps of a run that has made one."""
    network = LeNet.drawn((28, 28, 1), 10, 0.0, 1 / 255, 0.0, np.random.default_rng(0))
    data = (X[..., None], y.astype(np.int32), None)
    run = descend.minimize(Objective("classification"), network, data, optimizer=descend.SGD(0.1), batch_size=BATCH,
                           steps=1).run
    return lambda: jax.block_until_ready(descend.advance(run, STEPS)[0].state)


def _theirs(X: np.ndarray, y: np.ndarray, compiled: bool) -> Callable[[], None]:
    """The same in PyTorch, on batches that were shuffled before."""
    images, classes = torch.from_numpy(X[: BATCH * STEPS]), torch.from_numpy(y[: BATCH * STEPS].astype(np.int64))
    layers: Any = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )
    model = layers.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=True)
    forward = torch.compile(model) if compiled else model

    def run() -> None:
        for x, t in zip(images.split(BATCH), classes.split(BATCH), strict=True):
            optimizer.zero_grad()
            batch = (x[:, None].float() / 255).to(memory_format=torch.channels_last)
            nn.functional.cross_entropy(forward(batch), t).backward()
            optimizer.step()

    return run
