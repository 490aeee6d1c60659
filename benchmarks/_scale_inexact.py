"""What communicating less does to the numbers: a regression by 8 workers, each with data of its own.

Worker p has examples x ~ N(0, Σ_p), y = W_pᵀx + noise, and makes steps of SGD on 8 of them at a time. All look
for the W with the least mean loss, of which the excess, ½ mean_p tr (W − W_p)ᵀΣ_p(W − W_p) less its least, is known
exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WORKERS, INPUTS, OUTPUTS, ROWS = 8, 32, 16, 8
RATE, STEPS = 0.02, 1_000
Floats = np.ndarray
# Of what each worker would add up, what all get.
Exchange = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Problem:
    """Deviations of the inputs, and the coefficients, of each worker."""

    scales: Floats
    truths: Floats

    def loss(self, weights: Floats) -> float:
        """The mean of all workers, but for the noise."""
        return float(0.5 * np.sum((self.scales[..., None] * (weights - self.truths)) ** 2) / WORKERS)

    @property
    def least(self) -> float:
        """Of the mean of coefficients, weighted by variances."""
        weight = self.scales[..., None] ** 2
        return self.loss((weight * self.truths).sum(0) / weight.sum(0))


def drawn(seed: int) -> Problem:
    """Workers that differ in both."""
    rng = np.random.default_rng(seed)
    truths = rng.normal(size=(INPUTS, OUTPUTS)) + 0.5 * rng.normal(size=(WORKERS, INPUTS, OUTPUTS))
    return Problem(rng.uniform(0.5, 1.5, (WORKERS, INPUTS)), truths)


def mean(each: Floats) -> Floats:
    """What is added up as it is."""
    return each.mean(0)


def eight_bits(seed: int) -> Exchange:
    """Each number as one of 255 levels up to the largest, rounded by chance so that it is right in the mean."""
    rng = np.random.default_rng(seed)

    def exchange(each: Floats) -> Floats:
        scale = np.abs(each).max(axis=(1, 2), keepdims=True) / 127
        return (scale * np.floor(each / scale + rng.uniform(size=each.shape))).mean(0)

    return exchange


def low_rank(rank: int, seed: int) -> Exchange:
    """PowerSGD (arXiv 1905.13727): a step of the power method, from the last one's factor.

    Each worker keeps what it has left out, for the next time.
    """
    right = np.random.default_rng(seed).normal(size=(OUTPUTS, rank))
    left_out = np.zeros((WORKERS, INPUTS, OUTPUTS))

    def exchange(each: Floats) -> Floats:
        nonlocal right, left_out
        whole = each + left_out
        basis, _ = np.linalg.qr((whole @ right).mean(0))
        rights = whole.transpose(0, 2, 1) @ basis
        left_out = whole - basis @ rights.transpose(0, 2, 1)
        right = rights.mean(0)
        return basis @ right.T

    return exchange


def excess(problem: Problem, exchange: Exchange = mean, every: int = 1, seed: int = 0) -> float:
    """The excess loss, as a share of the first, after as many gradients of each worker.

    Each makes `every` steps by itself. Then what all have moved is exchanged, and all go on from there.
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros((INPUTS, OUTPUTS))
    for _ in range(STEPS // every):
        own = np.repeat(weights[None], WORKERS, 0)
        for _ in range(every):
            x = rng.normal(size=(WORKERS, ROWS, INPUTS)) * problem.scales[:, None]
            off = x @ (own - problem.truths) + rng.normal(size=(WORKERS, ROWS, OUTPUTS))
            own -= RATE * x.transpose(0, 2, 1) @ off / ROWS
        weights = weights + exchange(own - weights)
    return (problem.loss(weights) - problem.least) / (problem.loss(np.zeros_like(weights)) - problem.least)
