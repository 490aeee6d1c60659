"""Which kernel, which penalty, and how sure to be: what loses least on pictures that are left out, each in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from descend._arrays import Array, namespace
from descend.tasks.images.kernel.ridge import Decomposed

# What is tried: how much colours count beside gradients, then how steeply the kernel falls, by the mean distance; and
# of each kernel the penalties.
COLOUR_SHARES, FIRST_STEEPNESS, STEEPNESSES = (0.3, 1.0, 0.0), 1.0, (0.5, 2.0)
PENALTIES = tuple(10.0 ** (number / 2) for number in range(-6, 4))
# The logarithm of what scores are multiplied by, before they are those of probabilities.
LOG_SHARPNESSES = (-2.0, 5.0)
# Of the kernel's eigenvalues, relative to the largest: below are directions that rounding has made.
LEAST_EIGENVALUE = 1e-9


@dataclass(frozen=True)
class Kernel:
    """exp(−steepness · (shapes + share · colours) / (1 + share)), of squared distances in units of their means."""

    share: float
    steepness: float

    def __call__(self, shapes: Array, colours: Array) -> Array:
        """How alike pictures are, by their distances."""
        return namespace(shapes).exp(-self.steepness / (1 + self.share) * (shapes + self.share * colours))


@dataclass(frozen=True)
class Solved:
    """What a kernel came to.

    - `loss`: −log of the probability of its class, the mean over rows left out.
    - `weights`: of each picture that is compared with, for each class; and a last row that is added.
    - `sharpness`: what scores are multiplied by. `left_out`: the probabilities of each row by what the others say.
    """

    loss: float
    kernel: Kernel
    penalty: float
    sharpness: float
    weights: np.ndarray
    left_out: np.ndarray


def best_kernel(
    apart: Sequence[np.ndarray], landmarks: np.ndarray, numbers: np.ndarray, enough: Callable[[], bool] = lambda: False
) -> Solved:
    """The kernel that loses least.

    `apart`: the distances of all pictures from those that are compared with, by gradients and by colours. `landmarks`:
    which ones these are. `numbers`: the class of each. `enough`: whether to make do with the kernels tried so far, of
    which there is one at the least.
    """
    tried: list[Solved] = []
    for share in COLOUR_SHARES:
        if not (tried and enough()):
            tried.append(solved(Kernel(share, FIRST_STEEPNESS), apart, landmarks, numbers))
    share = _least(tried).kernel.share
    for steepness in STEEPNESSES:
        if not enough():
            tried.append(solved(Kernel(share, steepness), apart, landmarks, numbers))
    return _least(tried)


def solved(kernel: Kernel, apart: Sequence[np.ndarray], landmarks: np.ndarray, numbers: np.ndarray) -> Solved:
    """The best penalty for a kernel.

    Where not all pictures are compared with, the kernel is that which agrees with it on those that are (Williams and
    Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000).
    """
    alike = kernel(*apart)
    values, vectors = linalg.eigh(alike[landmarks])
    kept = values > LEAST_EIGENVALUE * values[-1]
    directions = vectors[:, kept] / np.sqrt(values[kept])
    # A column of ones: scores need not be 0 far away from all.
    columns = np.hstack([alike @ directions, np.ones((len(alike), 1))])
    found = Decomposed.of(columns, np.eye(numbers.max() + 1)[numbers])
    trials = [(*_sharpest(found.without_each(penalty), numbers), penalty) for penalty in PENALTIES]
    loss, sharpness, penalty = min(trials)
    coefficients = found.coefficients(penalty)
    weights = np.vstack([directions @ coefficients[:-1], coefficients[-1:]])
    return Solved(loss, kernel, penalty, sharpness, weights, softmax(sharpness * found.without_each(penalty), axis=1))


def _least(tried: Sequence[Solved]) -> Solved:
    return min(tried, key=lambda each: each.loss)


def _sharpest(scores: np.ndarray, numbers: np.ndarray) -> tuple[float, float]:
    """The least loss of scores as those of probabilities, and what they are multiplied by for it."""
    rows = np.arange(len(numbers))
    loss = lambda sharpness: -float(log_softmax(np.exp(sharpness) * scores, axis=1)[rows, numbers].mean())
    found = minimize_scalar(loss, bounds=LOG_SHARPNESSES, method="bounded")
    return float(found.fun), float(np.exp(found.x))
