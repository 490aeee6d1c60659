"""The loss on held-out examples that `optimizer="auto"` reaches where first steps tell little.

Twelve planted workloads of kinds that `calibration` has too, by other data, sizes and seeds: products of matrices,
differential equations, columns of all scales, recurrent sums, pairs of views, curved classes. No number of the recipe
was fitted to them. "best of the grid": the least of 36 descents, SGD with momentum and AdamW, each with a cosine
schedule, nine rates half a decade apart, and two decays. As in `untuned`, ours makes a tenth of the steps less, and
its search takes an eighth to a fifth of them, or more where it sees little at first.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import _planted as planted
from benchmarks._descents import measured
from benchmarks._planted import Friedman, Matrix, Parity, Points, Scales, Spirals, Sums, Views, drawn
from benchmarks._rows import Row
from benchmarks._workloads import Workload, cross_entropy, perceptron, squared

PACKAGES = ("descend", "jax", "numpy")
SGD_RATES, ADAMW_RATES = np.logspace(-3.5, 0.5, 9), np.logspace(-4, 0, 9)
DECAYS = {"SGD with momentum": (0.0, 1e-3), "AdamW": (0.0, 0.1)}


def workloads() -> Iterator[Workload]:
    """All of them."""
    for matrix, batch, steps in (
        (Matrix(90, 140, 5, 0.3, seed=31), 50, 2000),
        (Matrix(250, 70, 2, 0.4, seed=32, seen=0.5), 100, 1500),
    ):
        yield Workload(f"a matrix of rank {matrix.rank}", matrix.start, planted.product_error, matrix, batch, steps)
    net = lambda seed, inputs: lambda _: drawn(seed, inputs, 24, 24, 1)
    sine = planted.equation(planted.oscillation, 4.0)
    yield Workload("u″ = −sin 4x", net(33, 1), sine, Points(1500, 1, 33), 64, 3000)
    yield Workload("u_xx + u_yy = f", net(34, 2), planted.potential, Points(2000, 2, 34), 50, 2000)
    for scales, loss, steps in (
        (Scales(5000, 10, 6.0, is_class=False, seed=35), planted.linear_error, 2500),
        (Scales(4000, 20, 5.5, is_class=True, seed=36), planted.logistic_loss, 3000),
    ):
        yield Workload(f"columns over {scales.decades:g} decades", scales.start, loss, scales, 50, steps)
    sums = Sums(6000, 8, 28, seed=37)
    yield Workload("sums over 8", sums.start, planted.sum_error, sums, 50, 2000)
    for views, steps in ((Views(6000, 7, 18, 0.4, seed=38), 1500), (Views(4000, 4, 12, 0.3, seed=39), 2500)):
        yield Workload(f"views of {views.hidden}", views.start, planted.told_apart, views, 50, steps)
    yield Workload("spirals", perceptron(2, 40, 40, 2), cross_entropy, Spirals(4000, 2, 1.2, 0.12, seed=40), 64, 2000)
    yield Workload("parity", perceptron(8, 56, 2), cross_entropy, Parity(4000, 8, 3, 0.08, seed=41), 64, 2500)
    yield Workload("Friedman's", perceptron(10, 40, 1), squared, Friedman(2500, 0.25, seed=42), 50, 1500)


def rules() -> dict[str, Any]:
    """Ours, and those of the grid, by their names."""
    return {"auto": "auto", **grid()}


def grid() -> dict[str, Any]:
    """The two rules that are searched through, at each of their rates, with each of two decays."""
    from descend import AdamW
    from descend.optimizers import SGD, WeightDecay
    from descend.schedules import Cosine

    sgd: Any = lambda rate, decay: WeightDecay(SGD(Cosine(rate), momentum=0.9), decay)
    adamw: Any = lambda rate, decay: AdamW(Cosine(rate), weight_decay=decay)
    kinds: dict[str, tuple[Any, np.ndarray]] = {"SGD with momentum": (sgd, SGD_RATES), "AdamW": (adamw, ADAMW_RATES)}
    return {f"{name}, {rate:.2g}, decay {decay:g}": make(float(rate), decay)
            for name, (make, rates) in kinds.items() for rate in rates for decay in DECAYS[name]}


def rows() -> Iterator[Row]:
    """Each workload."""
    losses = measured(workloads, rules)
    for workload in workloads():
        best = min(grid(), key=lambda rule: losses[workload.name, rule])
        yield Row(workload.name, f"best of the grid: {best}", "held-out loss", "loss", losses[workload.name, "auto"],
                  losses[workload.name, best])
