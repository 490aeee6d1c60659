"""Probabilities that are too sure, or not sure enough, put right by one number: a temperature.

    p(k) ∝ p(k)^(1/T)

At T = 1 they stay; above, they come nearer to each other. Which class is the most probable never changes. T is the
minimum of the log-loss of predictions of rows that the models had not learnt from, which is convex in 1/T.

Reference: Guo et al. (2017), "On calibration of modern neural networks".
"""

import math
from dataclasses import dataclass

import numpy as np

from descend.tasks.common.judging.scores import as_probabilities

# Temperatures that are looked among.
COLDEST, HOTTEST = 0.05, 20.0
# Of a probability, in its logarithm: single precision knows none between 0 and 1e-45.
LEAST_CHANCE = 1e-12
# Of its logarithm: rows enough to tell more digits are rare.
PRECISION = 1e-6


@dataclass(frozen=True)
class Temperature:
    """A temperature, 1 where none is applied, and why in words."""

    value: float
    why: str


def fitted_temperature(chances: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> Temperature:
    """The temperature that these probabilities ask for, if it lowers their log-loss beyond noise; else 1.

    **Arguments**: `chances` (rows, classes), by models that had not learnt from the rows; `truth`, the numbers of the
    classes; `weights`, how much each row counts.

    >>> sure = np.array([[0.99, 0.01]] * 40)
    >>> fitted_temperature(sure, np.array([0, 0, 0, 1] * 10)).value > 3      # right in three of four cases
    True
    """
    # SciPy takes a tenth of a second to import.
    from scipy.optimize import minimize_scalar

    before, every = _losses(chances, truth, 1.0), np.ones(len(truth)) if weights is None else weights
    mean = lambda losses: float(np.average(losses, weights=every))
    found = minimize_scalar(lambda logarithm: mean(_losses(chances, truth, math.exp(logarithm))), method="bounded",
                            bounds=(math.log(COLDEST), math.log(HOTTEST)), options={"xatol": PRECISION})
    value = math.exp(float(found.x))
    after = _losses(chances, truth, value)
    lead = before - after
    spread = math.sqrt(mean((lead - mean(lead)) ** 2) * float((every**2).sum())) / float(every.sum())
    told = (f"the log-loss on rows not trained on from {mean(before):.4f} to {mean(after):.4f}, give or take "
            f"{spread:.4f}")
    # To the rows that it was fitted to, a temperature that differs from 1 by z standard errors is ahead by z/2 of those
    # of the lead: so what is ahead by one differs by two.
    if mean(lead) > spread > 0:
        return Temperature(value, f"a temperature of {value:.3g} lowers {told}")
    return Temperature(1.0, f"the probabilities stay as they are: a temperature of {value:.3g} would bring {told}")


def at_temperature(chances: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities (rows, classes) at a temperature.

    >>> at_temperature(np.array([[0.8, 0.2]]), 2.0).round(3)
    array([[0.667, 0.333]])
    """
    if temperature == 1.0:
        return chances
    powers = _logarithms(chances) / temperature
    powers = np.exp(powers - powers.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _logarithms(chances: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(as_probabilities(chances), LEAST_CHANCE))


def _losses(chances: np.ndarray, truth: np.ndarray, temperature: float) -> np.ndarray:
    """−log p of the true class of each row."""
    powers = _logarithms(chances) / temperature
    best = powers.max(axis=1)
    return best + np.log(np.exp(powers - best[:, None]).sum(axis=1)) - powers[np.arange(len(truth)), truth]
