"""What a step over P processes costs, on paper: a model fitted to `scale`, and played up to 10,000 processes.

A step is a part of the rows on one core, noisy, of which the slowest counts; and a sum of all gradients, by a ring or a
tree of messages that take α + m/β (`_scale_costs.py`). Its numbers are fitted to the smallest batch of each workload in
`scale`'s table, by least squares of relative errors, and judged by the larger ones. "off by": how far the modelled step
of two processes is from the measured one. Beside it is the model of `scale`: half a batch, and one sum of all numbers.

Networks of 10 and 100 Gbit/s, a noise of .05 of a step, and the seconds of checkpoints and restarts are assumptions.
What is simulated plays processes, messages and failures one by one, from a seed.
"""

from collections.abc import Iterator
from itertools import chain
from typing import get_args

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import _scale_costs as costs
from benchmarks import _scale_inexact as inexact
from benchmarks import _scale_simulated as simulated
from benchmarks._rows import Row
from benchmarks._scale_costs import Network, Workload
from benchmarks._scale_fitted import RESULTS, SUMMED, Measured, Model, fitted, measured

PACKAGES = ("descend", "jax", "numpy", "scipy")
SLOW, FAST = Network("10 Gbit/s, 50 µs", 50e-6, 1.25e9), Network("100 Gbit/s, 10 µs", 10e-6, 12.5e9)
SPREAD, MOST, DAY = 0.05, 10_000, 86_400.0
SAVE, RESTART = 10.0, 120.0
Cells = tuple[str | float, ...]
# Rows of a process where each has as many as one had, and of a step that is divided.
ROWS = {"small": (64, 64), "large": (512, 4_096), "gpt": (16, 128)}


def rows() -> Iterator[Row]:
    """Each case of `scale`."""
    cases, model = _found()
    for one, seen in zip(cases, _seen(cases), strict=True):
        yield Row(f"{one.case.title} ({seen})", "half a batch, and a sum", "a step, off by", "relative",
                  abs(model.step(one.case) / one.two - 1), abs(one.former / one.two - 1))


def appendix() -> list[str]:
    """Tables, each under a line that says what it has."""
    with threadpool_limits(1):  # small arrays, to which more threads are a burden
        parts = (_steps(), _slowest(), _played(), _ends(), _bytes(), _losses(), _failures())
        return [line for part in parts for line in (*part, "")][:-1]


def table(says: str, head: str, lines: Iterator[Cells]) -> Iterator[str]:
    """A Markdown table; numbers with four digits."""
    yield from (says, "", f"| {head} |", "| --- |" + " ---: |" * head.count("|"))
    for cells in lines:
        yield "| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.4g}" for cell in cells) + " |"


def _found() -> tuple[list[Measured], Model]:
    cases = list(measured(RESULTS.read_text()))
    return cases, fitted(cases)


def _seen(cases: list[Measured]) -> Iterator[str]:
    names = [one.case.workload for one in cases]
    yield from ("judged" if name in names[:i] else "fitted" for i, name in enumerate(names))


def _steps() -> Iterator[str]:
    cases, model = _found()
    works, network = model.workloads, model.network
    found = ((f"{one.case.title} ({seen})", 1e3 * one.all, 1e3 * works[one.case.workload].alone(one.case.batch),
              1e3 * one.two, 1e3 * model.step(one.case), f"{model.step(one.case) / one.two - 1:+.2f}")
             for one, seen in zip(cases, _seen(cases), strict=True))
    yield from table(f"Measured beside modelled, ms: of one process of one core, and of two. Fitted: α = "
                     f"{1e3 * network.latency:.2g} ms, β = {network.bandwidth / 1e6:.3g} MB/s.",
                     "step | one, measured | one, modelled | two, measured | two, modelled | off by", found)


def _slowest() -> Iterator[str]:
    rng, tails = np.random.default_rng(1), get_args(costs.Tail)

    def each(count: int) -> Cells:
        both = ((costs.slowest(count, SPREAD, tail), simulated.slowest(rng, count, SPREAD, tail)) for tail in tails)
        return f"{count:,}", *chain.from_iterable(both)

    yield from table("The slowest of P steps, whose deviation is .05.",
                     "P | normal | simulated | exponential | simulated", map(each, _counts()))


def _counts() -> tuple[int, ...]:
    return (1, 2, 8, 64, 512, 4_096, MOST)


def _played() -> Iterator[str]:
    work, rng = _found()[1].workloads["gpt"], np.random.default_rng(2)

    def each(count: int) -> Cells:
        told = [1e3 * costs.step(work, count, 16, SLOW, SPREAD, way=way) for way in (costs.ring, costs.tree)]
        played = [1e3 * simulated.step(rng, work, count, 16, SLOW, SPREAD, by_ring, max(1, 1_000 // count), jitter)
                  for by_ring, jitter in ((True, False), (True, True), (False, False), (False, True))]
        ring, tree = (f"{plain:.4g} ({noisy:.4g})" for plain, noisy in (played[:2], played[2:]))
        return f"{count:,}", told[0], ring, told[1], tree

    yield from table(f"A step of the GPT, 16 x 64 for each process, ms; {SLOW.name}. In brackets with latencies that "
                     "are exponential, of the same mean.",
                     "P | ring | simulated | tree | simulated", map(each, _counts()))


def _ends() -> Iterator[str]:
    """The last power of two at which efficiency is a half or more."""
    model = _found()[1]

    def most(work: Workload, network: Network, whole: int, own: int, arrays: int) -> str:
        def pays(count: int) -> bool:
            rows, useful = (whole / count, work.alone(whole) / count) if whole else (own, work.alone(own))
            return useful / costs.step(work, count, rows, network, SPREAD, arrays) >= 0.5
        last = costs.most_processes(pays, min(whole, MOST) or MOST)
        return "none" if last == 1 else f"{last:,}"

    def each() -> Iterator[Cells]:
        for name, work in model.workloads.items():
            own, whole = ROWS[name]
            for says, divided in ((f"{own:,} for each", 0), (f"{whole:,} for all", whole)):
                yield (f"{work.title}, {says}", *(most(work, network, divided, own, arrays) for network, arrays in (
                    (model.network, work.arrays), (SLOW, work.arrays), (SLOW, 1), (FAST, 1))))

    yield from table(f"The most processes, up to {MOST:,}, of which at least half of the time is of use: the last "
                     "power of two before the first that is not. Arrays are added up one by one, or all in one.",
                     f"rows of a step | {model.network.name} | {SLOW.name}, one by one | {SLOW.name} | {FAST.name}",
                     each())


def _bytes() -> Iterator[str]:
    works = _found()[1].workloads

    def each() -> Iterator[Cells]:
        for name, work in works.items():
            shapes, rows = SUMMED[name], ROWS[name][0]
            for says, size, every in (("as it is", work.size, 1), ("8 bits", costs.eight_bits(shapes), 1),
                                      ("PowerSGD, rank 4", costs.low_rank(shapes, 4), 1),
                                      ("local SGD, each 8", work.size, 8), ("DiLoCo, each 500", work.size, 500)):
                less = Workload(work.title, work.fixed, work.each, 1, size)
                # Of PowerSGD, the right factors can be had only when the left ones are there.
                again = costs.better(SLOW, 64, 0) if "PowerSGD" in says else 0.0
                took = costs.local_step(less, 64, rows, SLOW, SPREAD, every) + again
                yield f"{work.title}, {says}", size / 1e3 / every, 1e3 * took, work.alone(rows) / took

    yield from table(f"What 64 processes say to each other, in one array; {SLOW.name}, rows for each process as above. "
                     "To compress is taken to cost nothing.",
                     "way | kB for each step | step, ms | efficiency", each())


def _losses() -> Iterator[str]:
    ways = [("as it is", inexact.mean, 1), ("8 bits", inexact.eight_bits(1), 1),
            *((f"PowerSGD, rank {rank}", inexact.low_rank(rank, 1), 1) for rank in (1, 4)),
            *((f"local SGD, each {every}", inexact.mean, every) for every in (8, 100, 500))]
    problem = inexact.drawn(0)
    found = ((says, inexact.excess(problem, exchange, every)) for says, exchange, every in ways)
    yield from table(f"What that does to the numbers: the excess loss that is left of 1 after {inexact.STEPS:,} steps "
                     "of each of 8 workers, whose data differ (`_scale_inexact.py`; one seed).", "way | left", found)


def _failures() -> Iterator[str]:
    rng = np.random.default_rng(3)

    def each() -> Iterator[Cells]:
        for nodes in (100, 1_000, MOST):
            between = 1_000 * DAY / nodes
            best = costs.daly(SAVE, between)
            played = [simulated.lost(rng, factor * best, SAVE, RESTART, between) for factor in (1, 0.5, 2)]
            yield (f"{nodes:,}", between / 3_600, costs.young(SAVE, between), best,
                   costs.lost(best, SAVE, RESTART, between), *played)

    yield from table(f"Nodes of which one in 1,000 fails in a day, {SAVE:g} s for a checkpoint and {RESTART:g} s for a "
                     "restart: the share of time that is lost.", "nodes | hours between failures | interval by Young, "
                     "s | by Daly, s | lost, by the formula | simulated | at half of it | at twice", each())
