"""Methods compared over tables, of which some may have results that others have not."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from benchmarks._table_runs import Runs

# By table, then by method.
Losses = Mapping[str, Mapping[str, float]]


def common_losses(runs: Runs, methods: Sequence[str], tables: Sequence[str]) -> dict[str, dict[str, float]]:
    """The mean loss of each method over the splits that all of them finished; without tables that have none."""
    found = {}
    for table in tables:
        if seeds := common_seeds(runs, methods, table):
            found[table] = {method: float(np.mean([runs[method, table, seed]["loss"] for seed in seeds]))
                            for method in methods}
    return found


def common_seeds(runs: Runs, methods: Sequence[str], table: str) -> list[int]:
    """The splits of a table that all methods finished."""
    seeds = sorted({seed for _, name, seed in runs if name == table})
    return [seed for seed in seeds if all("loss" in runs.get((method, table, seed), {}) for method in methods)]


def mean_ranks(losses: Losses) -> dict[str, float]:
    """The mean over tables of each method's place by loss, 1 the best; those who share places share their mean."""
    methods = list(next(iter(losses.values())))
    ranks = np.mean([rankdata([row[method] for method in methods]) for row in losses.values()], axis=0)
    return dict(zip(methods, ranks.tolist(), strict=True))


def mean_scores(losses: Losses, constant: Mapping[str, float]) -> dict[str, float]:
    """The mean over tables of what each method gains, as a share of the most that one of them gains.

    To gain is to have less loss than the prediction that knows no column, `constant`; who has more gains nothing.
    """
    methods = list(next(iter(losses.values())))
    rows = [_shares(np.array([row[method] for method in methods]), constant[table]) for table, row in losses.items()]
    return dict(zip(methods, np.mean(rows, axis=0).tolist(), strict=True))


def _shares(losses: np.ndarray, constant: float) -> np.ndarray:
    gains = np.maximum(constant - losses, 0)
    return gains / gains.max() if gains.max() > 0 else gains


def wins(losses: Losses, ours: str, theirs: str) -> tuple[int, int]:
    """On how many tables each of two has the lower loss."""
    return (sum(row[ours] < row[theirs] for row in losses.values()),
            sum(row[theirs] < row[ours] for row in losses.values()))


def seconds(runs: Runs, method: str, losses: Losses, beside: Sequence[str]) -> float:
    """The CPU seconds of a method on the splits that `losses` are the means of."""
    splits = ((table, seed) for table in losses for seed in common_seeds(runs, beside, table))
    return float(sum(runs[method, table, seed]["cpu"] for table, seed in splits))
