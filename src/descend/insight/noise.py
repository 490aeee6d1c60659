"""How much of a batch's gradient is noise, and so how large a batch is worth its while."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from descend.engine.lanczos import MAX_NUMBERS
from descend.engine.run import Run
from descend.errors import InputError
from descend.insight._looks import differentiated, over_parts, rows_of, run_of, size_of, whole
from descend.sources import Empty
from descend.training import Result

CONFIDENCE = 0.95


@dataclass(frozen=True)
class NoiseScale:
    """`B = tr Σ / |G|²`, in rows: Σ the covariance of one row's gradient, G the gradient of all.

    `low`, `high`: its interval of 95 % confidence; without an end where the gradient cannot be told from 0. `rows`: of
    each of the `batches` that it was told from. `step`: of the run.
    """

    scale: float
    low: float
    high: float
    rows: int
    batches: int
    step: int

    @property
    def caption(self) -> str:
        """What it means, and what it does not."""
        scale = f"{self.scale:,.3g}" if math.isfinite(self.scale) else "unknown"
        return (
            f"The gradient noise scale after {self.step:,} steps is {scale} rows [{self.low:,.3g}, {self.high:,.3g}], "
            f"from {self.batches} batches of {self.rows:,}: in a batch of so many, noise is as long as the gradient. "
            "Far larger ones hardly make better steps, far smaller ones hardly worse progress per row. It is for a "
            "loss that is a mean over rows, knows nothing of curvature, and grows as a loss falls."
        )


def noise_scale(run: Run | Result, data: Any = None, *, batches: int = 16, seed: int = 0) -> NoiseScale:
    """The gradient noise scale at a run's parameters, from the gradients of batches and of all of them together.

    With gᵢ the gradients of k batches of b rows, and g that of all k b rows,

        |G|² ≈ (k |g|² − mean |gᵢ|²) / (k − 1)        tr Σ ≈ b (mean |gᵢ|² − |g|²) · k / (k − 1)

    which are unbiased. The interval is Fieller's for a ratio, by the jackknife over batches.

    `data`: rows, divided into `batches` parts by chance; by default the run's next batches, or parts of all rows where
    each step sees all. Where the gradients of all would need more than a quarter of a gigabyte, there are fewer.

    **Raises** `InputError` where there are no data, or fewer rows than batches.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> from descend.insight import noise_scale
    >>> rows = np.random.default_rng(0).normal(1.0, 3.0, size=4000)  # of variance 9, a distance 1 from where we are
    >>> run = begin(lambda x, rows: ((x - rows) ** 2).mean() / 2, 0.0, rows, optimizer=SGD(0.1), batch_size=50)
    >>> found = noise_scale(run, batches=40)
    >>> found.low < 9 < found.high
    True

    Reference: McCandlish, Kaplan, Amodei et al., "An empirical model of large-batch training", arXiv 1812.06162,
    appendix A.1.
    """
    run, rng, batches = run_of(run), np.random.default_rng(seed), whole("batches", batches, 3)
    if data is None and isinstance(run.descent.source, Empty):
        raise InputError("the loss takes no data, so its gradient has no noise: give data=")
    rows = rows_of(run, data)
    if rows is not None and size_of(rows) < 2 * batches:
        raise InputError(f"{batches} batches of at least 2 rows need {2 * batches}, but there are {size_of(rows)}: ask "
                         "for fewer batches")
    gradients: list[np.ndarray] = []
    for around in over_parts(run, data, batches, rng):
        gradients.append(differentiated(around, around.here, np.zeros_like(around.here))[1])
        size = size_of(around.batch)
        if (len(gradients) + 1) * len(around.here) > MAX_NUMBERS and len(gradients) >= 3:
            break
    products = np.stack(gradients) @ np.stack(gradients).T
    if not np.isfinite(products).all():
        raise InputError(f"the loss's gradient is not finite after {run.step} steps: look at a run before that, such "
                         "as a snapshot")
    ratio, low, high = noise_to_signal(products)
    return NoiseScale(size * ratio, size * low, size * high, size, len(gradients), run.step)


def noise_to_signal(products: np.ndarray) -> tuple[float, float, float]:
    """The variance of one of k vectors over the square of their mean, and its interval, from their products with each
    other; infinite where no more than noise is seen."""
    from scipy import stats  # takes half a second to import

    k = len(products)
    noise, signal = _noise(products), _signal(products)
    left = [np.delete(np.delete(products, i, 0), i, 1) for i in range(k)]
    pseudo = np.array([[k * noise - (k - 1) * _noise(one), k * signal - (k - 1) * _signal(one)] for one in left])
    covariance = np.cov(pseudo.T) / k
    low, high = _fieller(noise, signal, covariance, float(stats.t.ppf((1 + CONFIDENCE) / 2, k - 1)))
    return noise / signal if signal > 0 else math.inf, low, high


def _signal(products: np.ndarray) -> float:
    """`|G|²`, as the mean of products of different batches."""
    k = len(products)
    return float((products.sum() - np.trace(products)) / (k * (k - 1)))


def _noise(products: np.ndarray) -> float:
    return float(np.trace(products) / len(products) - _signal(products))


def _fieller(above: float, below: float, covariance: np.ndarray, t: float) -> tuple[float, float]:
    """The ratios r ≥ 0 for which `above − r · below` is within t standard errors of 0."""
    a = float(below**2 - t**2 * covariance[1, 1])
    b = float(above * below - t**2 * covariance[0, 1])
    c = float(above**2 - t**2 * covariance[0, 0])
    root = math.sqrt(max(b * b - a * c, 0.0))
    if a > 0 and below < 0:  # parts of all rows, whose gradients cancel: it is a minimum of theirs
        return math.inf, math.inf
    if a > 0:
        return max((b - root) / a, 0.0), (b + root) / a
    # Below 0 cannot be excluded: no upper end, and a lower one only where the noise itself is more than nothing.
    return ((b - root) / a if a < 0 and c > 0 else 0.0), math.inf
