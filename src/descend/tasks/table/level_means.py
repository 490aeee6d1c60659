"""What is known of the levels of a category that has many; a module of its own, as scikit-learn takes a second to
import."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from descend.tasks.table.blocks import one_hot

# Of all rows, those whose levels are not told apart, and of these, those whose level is met in other folds: of fewer,
# tables gained nothing by their means, or lost.
RARE_SHARE, MET_SHARE = 0.2, 0.5


class LevelMeans(TransformerMixin, BaseEstimator):
    """Of each level the mean of its rows' targets, as far as so many rows tell it, and log(1 + how many they are), each
    as often as it counts.

    Of n rows with the mean ȳ that is m + n / (n + λ) · (ȳ − m), where m is the mean of all rows and λ the variance
    within levels over that between them, from the analysis of variance. So the mean of few rows is drawn to that of
    all. A level that was never seen has m, and no row.

    Levels that are told apart are left out here, and have the values of one that was never seen. Each has a coefficient
    of its own; and what is learnt of it from other folds would differ by fold, and give away the fold's own targets.

    After `fit`: `levels_`, in alphabetical order; `values_` (levels + 1, targets + 1), its last row for all others.

    References: Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", SIGKDD
    Explorations 3, 2001; Searle, Casella and McCulloch, "Variance Components", 1992, chapter 3.
    """

    def fit(self, words: pd.Series, told: np.ndarray) -> "LevelMeans":
        """`words` (rows,), with many levels; `told` (rows, targets + 1): the targets, and how much the row counts."""
        among = _is_rare(words)
        mean = np.average(told[among, :-1], axis=0, weights=told[among, -1])
        self.levels_, self.values_ = _known(words[among], told[among], mean)
        return self

    def transform(self, words: pd.Series) -> np.ndarray:
        """The values of each row's level, (rows, targets + 1)."""
        return self.values_[pd.Index(self.levels_).get_indexer(words.to_numpy(object))]

    def from_other_folds(self, words: pd.Series, told: np.ndarray, folds: np.ndarray) -> np.ndarray:
        """The values of each row's level as rows of other folds tell them, of the rows that `fit` was given; m is that
        of all rows, as that of the other folds is the less, the more its own fold's is."""
        among, mean = words.isin(self.levels_).to_numpy(), self.values_[-1, :-1]
        found = np.empty((len(words), len(mean) + 1))
        for number in np.unique(folds):
            mine, others = folds == number, (folds != number) & among
            other = LevelMeans()
            other.levels_, other.values_ = _known(words[others], told[others], mean)
            found[mine] = other.transform(words[mine])
        return found


def are_worth_knowing(words: pd.Series, folds: np.ndarray) -> bool:
    """Whether levels that are not told apart have many rows together, and most of these a level that is met in other
    folds, too: where a group is one level, say, and lies in one fold, nothing of it is known of rows not yet seen."""
    among = _is_rare(words)
    if among.mean() < RARE_SHARE:
        return False
    levels, _ = pd.factorize(words.to_numpy(object)[among])
    pairs = np.unique(np.stack([levels, folds[among]]), axis=1)
    return float(np.mean(np.bincount(pairs[0])[levels] > 1)) > MET_SHARE


def _is_rare(words: pd.Series) -> np.ndarray:
    """Of which rows the level is not told apart, by what tells them apart."""
    (rare,) = one_hot().fit(words.to_frame()).infrequent_categories_
    return words.isin(rare).to_numpy()


def _known(words: pd.Series, told: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The levels, and what is known of each and of all others."""
    codes, levels = pd.factorize(words.to_numpy(object), sort=True)
    around, weights = told[:, :-1] - mean, told[:, -1]
    counts = np.bincount(codes, weights)
    sums = np.stack([np.bincount(codes, weights * column) for column in around.T], axis=1)
    drawn = sums / (counts + _ratio_of_variances(codes, counts, sums, around, weights))[:, None]
    return levels, np.vstack([np.column_stack([mean + drawn, np.log1p(counts)]), [*mean, 0.0]])


def _ratio_of_variances(
    codes: np.ndarray, counts: np.ndarray, sums: np.ndarray, around: np.ndarray, weights: np.ndarray
) -> float:
    """λ: how many rows a level must have for its own mean to tell as much as that of all."""
    rows, levels = counts.sum(), len(counts)
    if levels in (1, len(codes)) or rows <= levels:
        return np.inf
    means = sums / counts[:, None]
    within = np.sum(weights[:, None] * (around - means[codes]) ** 2) / (rows - levels)
    # What would be expected of the means' own spread, if levels did not differ, is part of it.
    spread = np.sum(sums * means) / (levels - 1) - within
    between = spread * (levels - 1) / (rows - np.sum(counts**2) / rows)
    return float(within / between) if between > 0 else np.inf
