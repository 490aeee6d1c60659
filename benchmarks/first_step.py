"""How long the first step takes: of a network, of many arrays, and of a loss that is another lambda at each call.

Every contestant has a process of its own, without a cache on disk; the clock starts when all is imported and JAX has
found its devices. CPU seconds are those of all threads. Medians of three; of arrays and lambdas, one. Networks step by
Adam on batches of 16 (LeNet 256, the GPT 12 windows of 64 characters). "first step" is weights drawn and
`minimize(..., steps=1)`, beside Flax's documented loop: `model.init`, `TrainState.create` and a jitted step of Linen
and Optax. "minimize alone" begins with weights, as does its peer: Optax in a `lax.scan` over 100 batches of our loss.
"programs" are those that were compiled by then. Lambdas: as many calls in one process, every time with a new lambda of
the same code, beside as many jitted steps of Optax; "auto" looks for a learning rate besides. Memory grows from the
21st call to the 520th, beside a bar of 50 MB. "arrays": a residual network of 16×16 matrices and biases.

What is aimed at: 1.3 times Flax's and Optax's time for perceptrons, 1.5 for LeNet and the GPT, with at most 4 programs;
1.5 times Optax's for a lambda, 3 where a rate is looked for; 1.5 for 500 arrays and for 2,000.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks._first_steps import CALLS, NETWORKS
from benchmarks._rows import Row

PACKAGES = ("descend", "jax", "flax", "optax", "numpy")
REPEATS = 3
MOST_PROGRAMS, MOST_MEGABYTES = 4, 50

Spent = Mapping[str, float]


def rows() -> Iterator[Row]:
    """Networks, many arrays, lambdas."""
    for network in NETWORKS:
        ours, flax, scan = _alternately(network, ("ours", "Flax", "scan"))
        yield from _times(network, "Flax + Optax", "first step", ours, flax)
        alone = {"seconds": ours["seconds"] - ours["before"], "cpu": ours["cpu"] - ours["cpu_before"]}
        yield from _times(network, "Optax in lax.scan", "minimize alone", alone, scan)
        yield Row(network, "Flax + Optax", "programs", "programs", ours["programs"], flax["programs"])
        yield Row(network, "the bar", "programs", "programs", ours["programs"], MOST_PROGRAMS)
    for arrays in ("500 arrays", "2000 arrays"):
        yield from _times(arrays, "Optax, jitted", "first step", *_alternately(arrays, ("ours", "Optax"), repeats=1))
    yield from _lambdas()


def _lambdas() -> Iterator[Row]:
    workload = "a hundred lambdas"
    ours, auto, optax = (_each(spent) for spent in _alternately(workload, ("ours", "auto", "Optax"), repeats=1))
    yield from _times(workload, "Optax, jitted", "each", ours, optax)
    yield from _times(workload, "Optax, jitted", "each, auto", auto, optax)
    yield Row("five hundred lambdas", "the bar", "memory", "MB", _spent(workload, "memory")["megabytes"],
              MOST_MEGABYTES)


def _times(workload: str, peer: str, quantity: str, ours: Spent, theirs: Spent) -> Iterator[Row]:
    """Two rows, by the clock and of the processor."""
    yield Row(workload, peer, quantity, "s", ours["seconds"], theirs["seconds"])
    yield Row(workload, peer, f"{quantity}, CPU", "s", ours["cpu"], theirs["cpu"])


def _each(spent: Spent) -> Spent:
    return {name: value / CALLS for name, value in spent.items()}


def _alternately(workload: str, contestants: Sequence[str], repeats: int = REPEATS) -> list[Spent]:
    """The medians of what each has spent, run in turn."""
    runs = [[_spent(workload, contestant) for contestant in contestants] for _ in range(repeats)]
    return [{name: statistics.median(spent[name] for spent in turns) for name in turns[0]}
            for turns in zip(*runs, strict=True)]


def _spent(workload: str, contestant: str) -> dict[str, float]:
    """What a contestant has spent in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks._first_steps", workload, contestant]
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout
    spent: dict[str, Any] = json.loads(told)
    return spent
