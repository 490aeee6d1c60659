"""The same steps, played: processes, messages and failures one by one, by chance, from a seed."""

import numpy as np

from benchmarks._scale_costs import Network, Tail, Workload

Floats = np.ndarray


def times(rng: np.random.Generator, shape: int | tuple[int, ...], spread: float, tail: Tail = "normal") -> Floats:
    """Noisy times of mean 1."""
    if tail == "exponential":
        return 1 - spread + rng.exponential(spread, shape)
    return rng.normal(1, spread, shape)


def slowest(rng: np.random.Generator, processes: int, spread: float, tail: Tail, draws: int = 2_000) -> float:
    """The mean of the largest of P times."""
    return float(np.mean([times(rng, processes, spread, tail).max() for _ in range(draws)]))


def ring(ready: Floats, network: Network, size: float, jitter: np.random.Generator | None = None) -> Floats:
    """When each process has the sum, if each is `ready` at its time.

    In each of 2(P − 1) rounds a process sends a P-th of the bytes to the next one, as soon as it has ended the last
    round and has heard from the one before. With `jitter`, each latency is exponential, of the same mean.
    """
    count = len(ready)
    sent = size / count / network.bandwidth
    done = ready.copy()
    for _ in range(2 * (count - 1)):
        waited = network.latency if jitter is None else jitter.exponential(network.latency, count)
        done = np.maximum(done, np.roll(done, 1)) + sent + waited
    return done


def tree(ready: Floats, network: Network, size: float, jitter: np.random.Generator | None = None) -> Floats:
    """The same by a binomial tree, up and down again."""
    count, done = len(ready), ready.copy()
    strides = [2**i for i in range((count - 1).bit_length())]
    for stride in strides:
        senders = np.arange(stride, count, 2 * stride)
        arrived = done[senders] + _messages(network, size, len(senders), jitter)
        done[senders - stride] = np.maximum(done[senders - stride], arrived)
    for stride in reversed(strides):
        receivers = np.arange(stride, count, 2 * stride)
        done[receivers] = done[receivers - stride] + _messages(network, size, len(receivers), jitter)
        # One message after the other.
        done[receivers - stride] += network.message(size)
    return done


def _messages(network: Network, size: float, count: int, jitter: np.random.Generator | None) -> Floats:
    latency = np.full(count, network.latency) if jitter is None else jitter.exponential(network.latency, count)
    return latency + size / network.bandwidth


def step(rng: np.random.Generator, work: Workload, processes: int, rows: float, network: Network, spread: float,
         by_ring: bool, steps: int, jitter: bool = False) -> float:
    """Mean seconds of a step: who has the sum begins the next step, and waits for nobody else."""
    done = np.zeros(processes)
    for _ in range(steps):
        ready = done + work.alone(rows) * times(rng, processes, spread)
        done = (ring if by_ring else tree)(ready, network, work.size, rng if jitter else None)
    return float(done.max()) / steps


def lost(rng: np.random.Generator, interval: float, save: float, restart: float, between: float,
         segments: int = 100_000) -> float:
    """The share of time that is lost to checkpoints, failures and restarts, over so many checkpoints."""
    need = np.full(segments, interval + save)
    spent = 0.0
    while len(need):
        failure = rng.exponential(between, len(need))
        spent += float(np.minimum(failure, need).sum())
        # What failed begins with a restart, and is whole only after all of it.
        need = np.full(int((failure < need).sum()), restart + interval + save)
    return 1 - segments * interval / spent
