"""What a step over P processes costs, on paper; seconds and bytes throughout.

A message of m bytes takes α + m/β (Hockney, 1994). Of b bytes that all add up:

- a ring takes 2(P − 1)(α + b/(Pβ)): no link carries more than 2b, and all wait for each other 2(P − 1) times;
- a binomial tree takes 2⌈log₂ P⌉(α + b/β): few waits, with all of the bytes in each.

A step ends with the slowest process: with the expected maximum of P noisy times.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Tail = Literal["normal", "exponential"]


@dataclass(frozen=True)
class Network:
    """`latency`: α, seconds; `bandwidth`: β, bytes a second."""

    name: str
    latency: float
    bandwidth: float

    def message(self, size: float) -> float:
        """Seconds of a message."""
        return self.latency + size / self.bandwidth


@dataclass(frozen=True)
class Workload:
    """On one core, a step of B rows takes `fixed` + B·`each`; `size` bytes in so many arrays are added up."""

    title: str
    fixed: float
    each: float
    arrays: int
    size: float

    def alone(self, rows: float) -> float:
        """Seconds of one process."""
        return self.fixed + rows * self.each


Reduction = Callable[[Network, int, float, int], float]


def ring(network: Network, processes: int, size: float, arrays: int = 1) -> float:
    """`arrays`: how many are added up, one after the other."""
    return 2 * (processes - 1) * arrays * network.message(size / arrays / processes)


def tree(network: Network, processes: int, size: float, arrays: int = 1) -> float:
    """The same by a binomial tree, up and down."""
    return 2 * math.ceil(math.log2(processes)) * arrays * network.message(size / arrays)


def better(network: Network, processes: int, size: float, arrays: int = 1) -> float:
    """The quicker of both."""
    return min(way(network, processes, size, arrays) for way in (ring, tree))


def slowest(processes: int, spread: float, tail: Tail = "normal") -> float:
    """The expected maximum of P times with mean 1 and deviation `spread`.

    Of normal ones by Blom's formula (1958). Of those that are a least time and an exponential delay, spread·(H_P − 1)
    above the mean, with the harmonic number H_P.
    """
    if tail == "exponential":
        return 1 + spread * (math.fsum(1 / i for i in range(1, processes + 1)) - 1)
    return 1 + spread * NormalDist().inv_cdf((processes - 0.375) / (processes + 0.25))


def step(work: Workload, processes: int, rows: float, network: Network, spread: float, arrays: int = 1,
         way: Reduction = better) -> float:
    """A step in which each process has so many rows."""
    return work.alone(rows) * slowest(processes, spread) + way(network, processes, work.size, arrays)


def local_step(work: Workload, processes: int, rows: float, network: Network, spread: float, every: int) -> float:
    """A step where parameters are averaged after `every` steps alone: waits and noise are divided by it, too.

    The sum of H steps has √H times the deviation, so that of a mean one it is spread/√H.
    """
    waited = slowest(processes, spread / math.sqrt(every))
    return work.alone(rows) * waited + better(network, processes, work.size) / every


def most_processes(pays: Callable[[int], bool], most: int) -> int:
    """The last of 1, 2, 4, …, `most` before the first that does not pay."""
    last = 1
    for count in powers(most):
        if not pays(count):
            break
        last = count
    return last


def powers(most: int) -> list[int]:
    """2, 4, 8, …, and `most`."""
    return [*(2**i for i in range(1, math.ceil(math.log2(most)))), most]


def low_rank(shapes: list[tuple[int, ...]], rank: int) -> int:
    """Bytes of PowerSGD (arXiv 1905.13727): of an m × n matrix r(m + n) numbers, where these are fewer."""
    numbers = (min(math.prod(shape), rank * (shape[0] + math.prod(shape[1:]))) if len(shape) > 1 else math.prod(shape)
               for shape in shapes)
    return 4 * sum(numbers)


def eight_bits(shapes: list[tuple[int, ...]]) -> int:
    """Bytes of a byte for each number, and a scale for each array."""
    return sum(math.prod(shape) + 4 for shape in shapes)


# ------------------------------------------------------------------------------------------------ failures


def young(save: float, between: float) -> float:
    """Seconds of work between checkpoints (Young, 1974): √(2δM), of δ to save one and M between failures."""
    return math.sqrt(2 * save * between)


def daly(save: float, between: float) -> float:
    """The same, of higher order (Daly, 2006, eq. 37)."""
    if save >= 2 * between:
        return between
    share = save / (2 * between)
    return young(save, between) * (1 + math.sqrt(share) / 3 + share / 9) - save


def lost(interval: float, save: float, restart: float, between: float) -> float:
    """The share of time in which nothing is learnt that lasts (Daly, 2006, eq. 20).

    Failures come by chance, one in `between` seconds. Each loses what was done since the last checkpoint, and the
    restart, in which others may come.
    """
    segment = between * math.exp(restart / between) * math.expm1((interval + save) / between)
    return 1 - interval / segment
