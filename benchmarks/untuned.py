"""The loss on held-out examples that `optimizer="auto"` reaches, beside rules whose learning rate was searched for.

Workloads on which nothing was calibrated, each with a budget of steps. "best of the grid": the least of 18 descents,
SGD with momentum and AdamW, each with a cosine schedule and nine rates half a decade apart; so many descents cost 18
budgets, ours one, its own search included. Beside it what asks for no rate, or is used without asking, as its authors
recommend: one descent each. The loss is that of the last parameters (of the average, for rules that keep one), on all
held-out examples; infinite if the descent diverged. Each descent has two cores, and as many as there are pairs of cores
run side by side.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import equinox as eqx
import jax
import numpy as np

from benchmarks._rows import Row
from benchmarks._workloads import Data, Workload, workloads

PACKAGES = ("descend", "jax", "numpy", "scikit-learn")
SGD_RATES, ADAMW_RATES = np.logspace(-3.5, 0.5, 9), np.logspace(-4.5, -0.5, 9)
SEARCH = 0.1  # of the steps of a descent: what the search for a rate costs besides
BLOCK = 2000  # held-out examples at a time


def rows() -> Iterator[Row]:
    """Each workload, each peer."""
    losses = measured()
    for workload in workloads():
        reached = {rule: losses[workload.name, rule] for rule in rules()}
        best = min(grid(), key=lambda rule: reached[rule])
        yield Row(workload.name, f"best of the grid: {best}", "held-out loss", "loss", reached["auto"], reached[best])
        for rule in recommended():
            yield Row(workload.name, rule, "held-out loss", "loss", reached["auto"], reached[rule])


def measured() -> dict[tuple[str, str], float]:
    """The loss that each rule reaches on each workload, measured side by side."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    pairs = [cores[i : i + 2] for i in range(0, len(cores) - 1, 2)] or [cores]
    spawned = get_context("spawn")
    unused = spawned.SimpleQueue()
    for pair in pairs:
        unused.put(pair)
    # The slowest first, so that no core waits long for the last one.
    descents = [(workload.name, rule) for workload in reversed([*workloads()]) for rule in rules()]
    losses = {}
    with ProcessPoolExecutor(len(pairs), spawned, settle, (unused,)) as pool:
        for descent, loss in zip(descents, pool.map(reached_by, *zip(*descents, strict=True)), strict=True):
            print(*descent, f"{loss:.5g}", sep="; ", file=sys.stderr, flush=True)  # it takes long
            losses[descent] = loss
    return losses


def settle(unused: Any) -> None:
    """Keep to two cores that no other process uses; before JAX looks how many there are."""
    if pair := unused.get():
        os.sched_setaffinity(0, pair)


def reached_by(workload: str, rule: str) -> float:
    """The loss that a rule reaches on a workload."""
    it = next(known for known in workloads() if known.name == workload)
    # A tenth of ours goes to its search.
    steps = round(it.steps / (1 + SEARCH)) if rule == "auto" else it.steps
    return final_loss(it, loaded(it.data), rules()[rule], steps)


@lru_cache(maxsize=1)
def loaded(data: Callable[[], Data]) -> Data:
    """The examples, kept for the descents that follow on the same ones."""
    return data()


def rules() -> dict[str, Any]:
    """All of them by their names."""
    return {"auto": "auto", **grid(), **recommended()}


def grid() -> dict[str, Any]:
    """The two rules that are searched through, at each of their rates."""
    from descend import AdamW
    from descend.optimizers import SGD
    from descend.schedules import Cosine

    momentum = {f"SGD with momentum, {rate:.2g}": SGD(Cosine(float(rate)), momentum=0.9) for rate in SGD_RATES}
    return momentum | {f"AdamW, {rate:.2g}": AdamW(Cosine(float(rate))) for rate in ADAMW_RATES}


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


def final_loss(workload: Workload, data: Data, optimizer: Any, steps: int) -> float:
    """The mean loss on the held-out examples after a descent; infinite if it diverged."""
    from descend import minimize

    train, held_out = data
    result = minimize(workload.loss, workload.start(data), train, optimizer=optimizer, batch_size=workload.batch_size,
                      steps=steps, stop=[])
    if result.reason.name == "diverged":
        return math.inf
    measure, count = eqx.filter_jit(workload.loss), len(jax.tree.leaves(held_out)[0])
    total = 0.0
    for first in range(0, count, BLOCK):
        block = jax.tree.map(lambda array, first=first: array[first : first + BLOCK], held_out)
        total += float(measure(result.params, block)) * len(jax.tree.leaves(block)[0])
    return total / count if math.isfinite(total) else math.inf
