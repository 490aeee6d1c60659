"""What intervals and sets promise is kept on real tables, over twenty ways to hold rows out."""

import os
from pathlib import Path

import numpy as np
import pytest

from descend.tasks.common.fitted import judge
from descend.tasks.common.judging.promised import kept_and_width
from descend.tasks.common.reading import read_table
from descend.tasks.common.settings import Settings
from descend.tasks.table.outcome import model_of
from descend.tasks.table.task import table_task

SPLITS = 20


def kept(source, target, model, level=0.9, splits=SPLITS):
    """The share of held-out rows that is in its interval or set, of each split, and the widths."""
    table, found = read_table(source), []
    for seed in range(splits):
        task = table_task(table, Settings(target, model, seed=seed))
        fitted = task.train(task.prepare())
        found.append(kept_and_width(model_of(fitted).conformal, judge(fitted), fitted.prepared.target, level))
    return tuple(np.array(column) for column in zip(*found, strict=True))


@pytest.mark.optimized
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "target", "model", "splits"),
    [("sample:diabetes", "target", "linear", SPLITS), ("concrete.csv", "compressive_strength", "linear", SPLITS),
     # A fit of all models takes seconds. Of so many rows that were held out, the share's standard error is .009.
     ("concrete.csv", "compressive_strength", "auto", 6)],
)
def test_intervals_of_90_percent_hold_90_percent(source, target, model, splits):
    if not source.startswith("sample:"):
        source = Path(os.environ.get("DESCEND_DATA", "data"), source)
        if not source.exists():
            pytest.skip(f"set DESCEND_DATA to the folder that holds {source.name}")
    shares, _ = kept(source, target, model, splits=splits)
    assert np.mean(shares) == pytest.approx(0.9, abs=0.02)


@pytest.mark.optimized
@pytest.mark.slow
@pytest.mark.parametrize("source", ["sample:wine", "sample:breast_cancer"])
def test_sets_of_classes_hold_at_least_as_much(source):
    shares, sizes = kept(source, "target", "linear", 0.95)
    assert np.mean(shares) >= 0.95 - 0.02
    # No more classes than that takes.
    assert np.mean(sizes) < 1.2
