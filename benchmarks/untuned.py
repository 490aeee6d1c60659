"""The loss on held-out examples that `optimizer="auto"` reaches, beside rules whose learning rate was searched for.

Workloads that no number of the recipe was fitted to, each with a budget of steps; they were looked at, though, before
it was settled which kinds `calibration` must have. "best of the grid": the least of 18 descents, SGD with momentum and
AdamW, each with a cosine schedule and nine rates half a decade apart; so many descents cost 18 budgets. Ours makes a
tenth of the steps less, for its search, which takes an eighth to a fifth of them, and 160 at the least. Beside it what
asks for no rate, or is used without asking, as its authors recommend: one descent each. The loss is that of the last
parameters (of the average, for rules that keep one), on all held-out examples; infinite if the descent diverged. Each
descent has two cores, and as many as there are pairs of cores run side by side.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks._descents import measured
from benchmarks._rows import Row
from benchmarks._workloads import workloads

PACKAGES = ("descend", "jax", "numpy", "scikit-learn")
SGD_RATES, ADAMW_RATES = np.logspace(-3.5, 0.5, 9), np.logspace(-4.5, -0.5, 9)


def rows() -> Iterator[Row]:
    """Each workload, each peer."""
    losses = measured(workloads, rules)
    for workload in workloads():
        reached = {rule: losses[workload.name, rule] for rule in rules()}
        best = min(grid(), key=lambda rule: reached[rule])
        yield Row(workload.name, f"best of the grid: {best}", "held-out loss", "loss", reached["auto"], reached[best])
        for rule in recommended():
            yield Row(workload.name, rule, "held-out loss", "loss", reached["auto"], reached[rule])


def rules() -> dict[str, Any]:
    """All of them by their names."""
    return {"auto": "auto", **grid(), **recommended()}


def grid() -> dict[str, Any]:
    """The two rules that are searched through, at each of their rates."""
    from descend.optimizers import SGD
    from descend.schedules import Cosine

    momentum = {f"SGD with momentum, {rate:.2g}": SGD(Cosine(float(rate)), momentum=0.9) for rate in SGD_RATES}
    return momentum | adamw_grid()


def adamw_grid() -> dict[str, Any]:
    """AdamW at each of its rates."""
    from descend import AdamW
    from descend.schedules import Cosine

    return {f"AdamW, {rate:.2g}": AdamW(Cosine(float(rate))) for rate in ADAMW_RATES}


def recommended() -> dict[str, Any]:
    """What is used without a search, as its authors recommend."""
    from descend.optimizers import Adam, DoG, PolyakAverage, Prodigy, ScheduleFreeAdamW
    from descend.schedules import Cosine, Warmup

    return {
        "Adam(1e-3)": Adam(1e-3),
        "Prodigy, cosine": Prodigy(Cosine(1.0)),
        "Schedule-Free AdamW, warmed up": ScheduleFreeAdamW(Warmup(0.0025, steps=0.05)),
        "DoG, averaged": PolyakAverage(DoG(), gamma=8.0),
    }
