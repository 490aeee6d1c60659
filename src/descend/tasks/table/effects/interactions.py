"""How much two columns do together that is not the sum of what each does.

    H² = Σ (F_jk − F_j − F_k)² / Σ F_jk²

over rows, with F the partial dependences without their means. Its numerator's root mean square is the strength, in the
unit of what is predicted: a share of little is little. Of classes, F are logarithms of odds, on which what adds up is
no interaction: so a linear model has none.

Reference: Friedman and Popescu, "Predictive learning via rule ensembles", Annals of Applied Statistics 2, 2008, section
8.1; Inglis, Parnell and Hurley (2022), "Visualizing variable importance and variable interaction effects in machine
learning models", for the root that is no share.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from descend.tasks.common.judging.temperature import LEAST_CHANCE
from descend.tasks.table.effects.dependence import Predict

# Predictions that are made at once: to predict, NumPy lets go of the interpreter's lock, and each takes memory.
SIDE_BY_SIDE = 4


@dataclass(frozen=True)
class Interaction:
    """Of two columns: how much they do together beyond their sum, and the share of all that the two do (H)."""

    columns: tuple[str, str]
    strength: float
    share: float


def interactions(predict: Predict, rows: np.ndarray, features: Mapping[str, np.ndarray]) -> list[Interaction]:
    """Of all pairs of columns, the strongest first.

    **Arguments**: `predict`, as models do; `rows`, a sample of encoded ones, at which and over which F is told;
    `features`, by the columns' names, which features are theirs.
    """
    pairs = list(combinations(features, 2))
    of_pairs = [np.concatenate([features[one], features[other]]) for one, other in pairs]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        told = list(pool.map(lambda mine: _told(predict, rows, mine), [*features.values(), *of_pairs]))
    alone = dict(zip(features, told, strict=False))
    found = []
    for (one, other), together in zip(pairs, told[len(features) :], strict=True):
        beyond = np.sum((together - alone[one] - alone[other]) ** 2)
        strength, all_of_it = np.sqrt(beyond / len(rows)), np.sum(together**2)
        share = np.sqrt(beyond / all_of_it) if all_of_it > 0 else 0.0
        found.append(Interaction((one, other), float(strength), float(min(share, 1.0))))
    return sorted(found, key=lambda pair: -pair.strength)


def _told(predict: Predict, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The partial dependence on some features at each row, without its mean."""
    count = len(rows)
    # Each row's features, put into all rows.
    changed = np.repeat(rows[None], count, axis=0)
    changed[:, :, features] = rows[:, None, features]
    said = _additive(predict(changed.reshape(-1, rows.shape[1])))
    means = said.reshape(count, count, -1).mean(axis=1)
    return means - means.mean(axis=0)


def _additive(said: np.ndarray) -> np.ndarray:
    """Numbers, or of classes the logarithm of the odds: of two, of the second; of more, against all classes' mean."""
    if said.ndim == 1:
        return said.astype(np.float64)
    logarithms = np.log(np.maximum(said.astype(np.float64), LEAST_CHANCE))
    return logarithms[:, 1] - logarithms[:, 0] if said.shape[1] == 2 else logarithms - logarithms.mean(axis=1)[:, None]
