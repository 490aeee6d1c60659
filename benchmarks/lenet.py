"""LeNet on Fashion-MNIST with the five schedules of "Dive into Deep Learning", beside the accuracies that it prints.

Section 12.11: gradient descent without momentum, batches of 256, 30 epochs, accuracy on the 10,000 test images. The
book sets the rate once in an epoch, here it changes with each step. A constant rate never settles: its row is the
median of three seeds. What a step costs is in `neural`.
"""

import statistics
from collections.abc import Iterator

import descend
from benchmarks._images import fashion_mnist
from benchmarks._rows import Row
from descend.neural import ConvClassifier
from descend.schedules import Constant, Cosine, MultiStep, Schedule, SquareRoot

PACKAGES = ("descend", "jax")
BATCH, EPOCHS = 256, 30
EPOCH = 60_000 / BATCH  # steps
SCHEDULES: dict[str, tuple[Schedule, float]] = {  # and the accuracy in the book
    "constant": (Constant(0.3), 0.877),
    "square root": (SquareRoot(0.1, decay=1 / EPOCH), 0.886),
    "multi-factor": (MultiStep(0.5, milestones=(round(15 * EPOCH), round(30 * EPOCH)), factor=0.5), 0.869),
    "cosine": (Cosine(0.3, steps=round(20 * EPOCH), final=0.01), 0.904),
    "cosine, warm-up": (Cosine(0.3, steps=round(20 * EPOCH), final=0.01, warmup=round(5 * EPOCH)), 0.901),
}


def rows() -> Iterator[Row]:
    """A row for each schedule."""
    X, y = fashion_mnist()
    held_out = fashion_mnist("t10k")
    for name, (schedule, printed) in SCHEDULES.items():
        seeds = range(3 if name == "constant" else 1)
        reached = statistics.median(lenet(schedule, seed).fit(X, y).score(*held_out) for seed in seeds)
        yield Row(f"LeNet, {name}", "d2l, as printed", "test accuracy", "score", reached, printed)


def lenet(schedule: Schedule, seed: int) -> ConvClassifier:
    """The book's network, with nothing that the book has not."""
    return ConvClassifier("lenet", optimizer=descend.SGD(schedule), batch_size=BATCH, random_state=seed, shift=0,
                          epochs=EPOCHS, validation_fraction=0.0)
