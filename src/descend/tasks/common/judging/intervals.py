"""Conformal prediction: how far predictions are off, told from rows that their models had not learnt from.

Of numbers, a score is |y − ŷ| / σ(ŷ), and an interval ŷ ± q σ(ŷ); σ is 1, or follows the errors along the predictions.
Of classes, it is the sum of the probabilities above that of the true one, and a set has the classes whose sum is at
most q: the most probable one always, and more of them where the model is less sure. q is the score that a share `level`
of the rows stays within, the row that is predicted counted as one of them: ⌈(n + 1) level⌉ of n.

If rows come in no order, and a model were the same without one of them, intervals of 90 % hold 90 % of new values. The
models of folds learn from fewer rows than the one that is kept, so that intervals are a little too wide, if anything.

Reference: Vovk, Gammerman and Shafer (2005), "Algorithmic learning in a random world"; Barber et al. (2021),
"Predictive inference with the jackknife+", section 1.1; Lei et al. (2018), "Distribution-free predictive inference for
regression", for σ; Romano, Sesia and Candès (2020), "Classification with valid and adaptive coverage", for the sets.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from descend._facts import Facts, checked_array
from descend.errors import InputError
from descend.tasks.common.judging.scores import as_probabilities

# Scores that are kept: of more, evenly spaced ones.
MOST_SCORES = 2000
# Groups of predictions, of as many rows each, along which errors may differ; and the least rows of a group.
SPREAD_GROUPS, LEAST_OF_A_SPREAD = 10, 50
# Of the mean error, what that of a group is at the least: elsewhere predictions are not exact only because they were.
LEAST_SPREAD = 0.05
# At which intervals that follow the errors are compared with those that do not, and standard errors they must lead by.
JUDGED_LEVEL, STANDARD_ERRORS = 0.9, 2.0


@dataclass(frozen=True)
class Spread:
    """How large errors are along the predictions: between `places`, in ascending order, `sizes` go in straight lines.
    No places: the same everywhere."""

    places: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sizes: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __call__(self, predictions: np.ndarray) -> np.ndarray:
        """σ of each."""
        return np.interp(predictions, self.places, self.sizes) if len(self.places) else np.ones(len(predictions))


@dataclass(frozen=True)
class Conformal:
    """Scores of rows that models had not learnt from, in ascending order; of each, the share of rows up to it."""

    scores: np.ndarray
    shares: np.ndarray
    spread: Spread = field(default_factory=Spread)

    @classmethod
    def of_numbers(cls, predictions: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> "Conformal":
        """Of predicted numbers; σ follows the errors if that makes intervals better on rows that it was not told from.
        """
        errors = np.abs(truth - predictions)
        halves = np.random.default_rng(0).permutation(len(errors)) % 2 == 0
        # Each half by what the other one tells: errors are small in units of their own.
        spreads = {half: _spread(predictions[halves != half], errors[halves != half]) for half in (False, True)}
        scaled = errors / np.where(halves, spreads[True](predictions), spreads[False](predictions))
        if not _is_better(predictions, errors, halves, spreads):
            return cls(*_sorted(errors, weights))
        return cls(*_sorted(scaled, weights), _spread(predictions, errors))

    @classmethod
    def of_classes(cls, chances: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> "Conformal":
        """Of predicted probabilities (rows, classes)."""
        above = _above(as_probabilities(chances))
        return cls(*_sorted(above[np.arange(len(truth)), truth], weights))

    def quantile(self, level: float) -> float:
        """The score that a share of the rows stays within.

        **Raises** `InputError` for a level that is none, or that so few rows cannot tell.
        """
        if not 0 < level < 1:
            raise InputError(f"the level of intervals must be between 0 and 1, as 0.9 is, but is {level:g}")
        place = int(np.searchsorted(self.shares, level * (1 - 1e-12)))
        if place == len(self.scores):
            raise InputError(f"intervals of {level:g} need more rows than the model was validated on: choose at most "
                             f"{math.floor(self.shares[-1] * 1e4) / 1e4:g}")
        return float(self.scores[place])

    def around(self, predictions: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """The ends of an interval around each predicted number."""
        reach = self.quantile(level) * self.spread(predictions)
        return predictions - reach, predictions + reach

    def possible(self, chances: np.ndarray, level: float) -> np.ndarray:
        """Of each row, which classes are in its set."""
        # Sums of the same numbers in another order differ in their last bits.
        return _above(as_probabilities(chances)) <= self.quantile(level) + 1e-9

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name."""
        places, sizes = self.spread.places, self.spread.sizes
        arrays = {"scores": self.scores, "shares": self.shares, "places": places, "sizes": sizes}
        return {"scores": len(self.scores), "places": len(places)}, arrays

    @classmethod
    def from_parts(cls, told: Facts, arrays: dict[str, np.ndarray]) -> "Conformal":
        """What `to_parts` took apart.

        **Raises** `CheckpointError` if it is something else.
        """
        counts = {"scores": told.whole("scores", 1, MOST_SCORES), "places": told.whole("places", 0, SPREAD_GROUPS)}
        counts |= {"shares": counts["scores"], "sizes": counts["places"]}
        found = {name: checked_array(arrays, name, told.where, (count,), "f") for name, count in counts.items()}
        for name, array in found.items():
            rises = name == "sizes" or bool((np.diff(array) >= 0).all())
            if not (np.isfinite(array).all() and rises and (name == "places" or (array >= 0).all())):
                told.refuse(name, "numbers that rise", "others")
        return cls(found["scores"], found["shares"], Spread(found["places"], found["sizes"]))


def _sorted(scores: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The scores in ascending order, and the share of rows up to each, a row that is to be predicted among them."""
    order = np.argsort(scores, kind="stable")
    every = np.ones(len(scores)) if weights is None else weights[order].astype(np.float64)
    shares = np.cumsum(every) / (every.sum() + every.mean())
    # The last of each stretch, so that an interval is rather too wide than too narrow.
    kept = np.unique(np.ceil(np.linspace(0, len(order) - 1, min(len(order), MOST_SCORES))).astype(int))
    return scores[order][kept].astype(np.float64), shares[kept]


def _above(chances: np.ndarray) -> np.ndarray:
    """Of each row and class, the sum of the probabilities that are greater."""
    order = np.argsort(-chances, axis=1, kind="stable")
    ranked = np.take_along_axis(chances, order, axis=1)
    above = np.empty_like(chances)
    np.put_along_axis(above, order, np.cumsum(ranked, axis=1) - ranked, axis=1)
    return np.maximum(above, 0.0)


def _spread(predictions: np.ndarray, errors: np.ndarray) -> Spread:
    """The mean error of groups of predictions."""
    groups = np.array_split(np.argsort(predictions, kind="stable"), min(SPREAD_GROUPS, len(errors) // LEAST_OF_A_SPREAD)
                            or 1)  # fmt: skip
    if len(groups) < 2 or not errors.any():
        return Spread()
    least = LEAST_SPREAD * float(errors.mean())
    return Spread(np.array([predictions[group].mean() for group in groups]),
                  np.array([max(float(errors[group].mean()), least) for group in groups]))


def _is_better(
    predictions: np.ndarray, errors: np.ndarray, halves: np.ndarray, spreads: dict[bool, Spread]
) -> bool:
    """Whether intervals whose width follows the errors are narrower, misses counted by how far they miss.

    Reference: Gneiting and Raftery, "Strictly proper scoring rules", JASA 102, 2007, section 6.2.
    """
    if not all(len(spread.places) for spread in spreads.values()):
        return False
    leads = np.empty(len(errors))
    for half in (False, True):
        mine, others = halves == half, halves != half
        equal = np.full(mine.sum(), np.quantile(errors[others], JUDGED_LEVEL))
        # Scores of the others by their own spread: what is compared is the shape of the intervals, at one level.
        size = spreads[half](predictions)
        following = np.quantile((errors / size)[others], JUDGED_LEVEL) * size[mine]
        costs = [reach + np.maximum(errors[mine] - reach, 0) / (1 - JUDGED_LEVEL) for reach in (equal, following)]
        leads[mine] = costs[0] - costs[1]
    return float(leads.mean()) > STANDARD_ERRORS * float(leads.std()) / math.sqrt(len(leads))
