"""Many runs at once: `advance_many(runs, n)` beside advancing them one after the other, once all is compiled.

Rosenbrock's function in two numbers with Adam at different rates; an MLP 64-32-10 on batches of 64 digits, with a rate
and a seed of each; and PPO's policy on CartPole, one seed each, some rollouts. In turns, in one process; CPU
milliseconds are those of all threads. "the same bits": how many members are, bit for bit, what they are advanced alone;
where it is not all of them, "difference" is the largest of a parameter, beside the size of the largest, and its peer
the rounding of one number.
"""

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

import descend
from benchmarks._rows import Row
from benchmarks.engine import loss, start
from descend.engine.run import Run
from descend.minimize import minimize
from descend.rl import PPO
from descend.rl._training import Training

PACKAGES = ("descend", "jax", "numpy")
MEMBERS = (2, 8, 32, 64)
REPEATS = 3
ROLLOUTS, EPOCHS, MINIBATCHES = 3, 4, 4

Runs = list[Run]


def rows() -> Iterator[Row]:
    """Each workload, with more and more members."""
    for members in MEMBERS:
        for steps in (200, 2000):
            yield from _compared(f"Rosenbrock, {steps:,} steps", _valleys(members), steps)
        yield from _compared("MLP 64-32-10, batch 64, 300 steps", _perceptrons(members), 300)
        words = f"PPO on CartPole, {ROLLOUTS} rollouts"
        yield from _compared(words, _policies(members), ROLLOUTS * EPOCHS * MINIBATCHES)


def _compared(workload: str, runs: Runs, steps: int) -> Iterator[Row]:
    workload, peer = f"{workload}, {len(runs)} members", "one after the other"
    contestants: tuple[Callable[[], Runs], ...] = (
        lambda: [run for run, _ in descend.advance_many(runs, steps)],
        lambda: [run.advance(steps)[0] for run in runs],
    )
    together, alone = (contestant() for contestant in contestants)
    turns = [[_spent(contestant) for contestant in contestants] for _ in range(REPEATS)]
    for i, quantity in enumerate(("time", "time, CPU")):
        ours, theirs = (median(turn[who][i] for turn in turns) for who in (0, 1))
        yield Row(workload, peer, quantity, "ms", ours, theirs)
    differences = [_relative(a.params, b.params) for a, b in zip(together, alone, strict=True)]
    yield Row(workload, peer, "the same bits", "members", differences.count(0.0), len(runs))
    if any(differences):
        yield Row(workload, peer, "difference", "relative", max(differences), float(np.finfo(np.float32).eps))


def _spent(contestant: Callable[[], Runs]) -> tuple[float, float]:
    """Milliseconds by the clock, and of the processor."""
    seconds, cpu = time.perf_counter(), time.process_time()
    jax.block_until_ready([run.state for run in contestant()])
    return 1e3 * (time.perf_counter() - seconds), 1e3 * (time.process_time() - cpu)


def _relative(a: Any, b: Any) -> float:
    """The largest difference, beside the largest number."""
    pairs = [(np.asarray(x), np.asarray(y)) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)]
    return max(float(abs(x - y).max()) for x, y in pairs) / max(float(abs(y).max()) for _, y in pairs)


def _valleys(members: int) -> Runs:
    rates = np.geomspace(1e-4, 1e-1, members)
    run = descend.begin(_rosenbrock, np.array([-1.2, 1.0]), optimizer=descend.Adam(1e-3))
    return [run.fork(learning_rate=float(rate)) for rate in rates]


def _rosenbrock(x: jax.Array) -> jax.Array:
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def _perceptrons(members: int) -> Runs:
    features, target = load_digits(return_X_y=True)
    data = (jnp.asarray(features / 16, jnp.float32), jnp.asarray(target, jnp.int32))  # where they are: all share them
    rates = np.geomspace(1e-3, 1e-1, members)
    return [descend.begin(loss, start(), data, optimizer=descend.SGD(float(rate)), batch_size=64, seed=seed)
            for seed, rate in enumerate(rates)]


def _policies(members: int) -> Runs:
    """Each after its first step."""
    algorithm = PPO(num_envs=8, num_steps=32, epochs=EPOCHS, minibatches=MINIBATCHES)
    return [_policy(algorithm, seed) for seed in range(members)]


def _policy(algorithm: PPO, seed: int) -> Run:
    training = Training.of(algorithm, "CartPole-v1", None, seed)
    source = training.backend.source(
        gamma=0.98, gae_lambda=0.8, num_envs=8, num_steps=32, epochs=EPOCHS, minibatches=MINIBATCHES,
        normalize_observations=False, normalize_rewards=False,
    )  # fmt: skip
    updates = 1000 * EPOCHS * MINIBATCHES
    return minimize(training._loss(), training._network(), source, optimizer=training._rule().over(updates), steps=1,
                    stop=[], seed=seed).run  # fmt: skip
