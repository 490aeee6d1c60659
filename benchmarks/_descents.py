"""Descents on workloads by rules that are given, side by side, each judged by held-out examples."""

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

from benchmarks._workloads import Data, Workload

SEARCH = 0.1  # of the steps of a descent: what the search for a rate costs besides
BLOCK = 2000  # held-out examples at a time

Workloads = Callable[[], Iterator[Workload]]  # those of the quickest steps first; of a module, as a process can load
Rules = Callable[[], dict[str, Any]]  # by their names; of a module, too


def measured(workloads: Workloads, rules: Rules) -> dict[tuple[str, str], float]:
    """The loss that each rule reaches on each workload.

    Each descent has two cores, and as many as there are pairs of cores run side by side.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    pairs = [cores[i : i + 2] for i in range(0, len(cores) - 1, 2)] or [cores]
    spawned = get_context("spawn")
    unused = spawned.SimpleQueue()
    for pair in pairs:
        unused.put(pair)
    # The slowest first, so that no core waits long for the last one.
    descents = [(workload.name, rule) for workload in reversed([*workloads()]) for rule in rules()]
    asked = ((workloads, rules, *descent) for descent in descents)
    losses = {}
    with ProcessPoolExecutor(len(pairs), spawned, settle, (unused,)) as pool:
        for descent, loss in zip(descents, pool.map(reached_by, *zip(*asked, strict=True)), strict=True):
            print(*descent, f"{loss:.5g}", sep="; ", file=sys.stderr, flush=True)  # it takes long
            losses[descent] = loss
    return losses


def settle(unused: Any) -> None:
    """Keep to two cores that no other process uses; before JAX looks how many there are."""
    if pair := unused.get():
        os.sched_setaffinity(0, pair)


def reached_by(workloads: Workloads, rules: Rules, workload: str, rule: str) -> float:
    """The loss that a rule reaches on a workload."""
    it = next(known for known in workloads() if known.name == workload)
    # A tenth of ours goes to its search.
    steps = round(it.steps / (1 + SEARCH)) if rule == "auto" else it.steps
    return final_loss(it, loaded(it.data), rules()[rule], steps)


@lru_cache(maxsize=1)
def loaded(data: Callable[[], Data]) -> Data:
    """The examples, kept for the descents that follow on the same ones."""
    return data()


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
