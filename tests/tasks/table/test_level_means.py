"""Categories with many levels: what is known of each level, from which rows, and that it helps where there is something
to be known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import TargetEncoder

from descend import TableRegressor
from descend.tasks.common.columns import describe_columns
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.level_means import LevelMeans
from descend.tasks.table.task import table_task


def sold(levels, rows, spread, noise, seed=0):
    """Rows of shops whose sales differ by `spread`, and within a shop by `noise`; some shops have many rows."""
    rng = np.random.default_rng(seed)
    shops = (levels * rng.random(rows) ** 2).astype(int)
    frame = pd.DataFrame({"shop": [f"shop {shop}" for shop in shops], "size": rng.normal(size=rows)})
    return frame, 100 + rng.normal(0, spread, levels)[shops] + rng.normal(0, noise, rows)


def counted(y, weights=1.0):
    """Targets, and how much their rows count."""
    return np.column_stack([y, np.broadcast_to(weights, len(y))])


@pytest.mark.parametrize(("spread", "noise"), [(1.0, 2.0), (2.0, 1.0)])
def test_means_are_drawn_to_that_of_all_by_the_ratio_of_variances(spread, noise):
    """As scikit-learn's encoder draws them, with the ratio that the sample was drawn with; counts are logarithms."""
    frame, y = sold(800, 20_000, spread, noise)
    means = LevelMeans().fit(frame["shop"], counted(y))
    rare = frame["shop"].isin(means.levels_).to_numpy()
    shops, y = frame[["shop"]][rare], y[rare]
    expected = TargetEncoder(target_type="continuous", smooth=noise**2 / spread**2).fit(shops, y)
    # The ratio is estimated from 800 levels: by a twentieth or so.
    theirs, ours = expected.transform(shops)[:, 0], means.transform(shops["shop"])
    np.testing.assert_allclose(ours[:, 0] - y.mean(), theirs - y.mean(), rtol=0.05)
    np.testing.assert_allclose(np.expm1(ours[:, 1]), shops["shop"].map(shops["shop"].value_counts()))


def test_the_commonest_are_left_to_be_told_apart_and_are_as_those_never_seen():
    """39 are, as the fortieth feature is what the others share."""
    frame, y = sold(100, 2000, 1.0, 1.0)
    means = LevelMeans().fit(frame["shop"], counted(y))
    counts = frame["shop"].value_counts()
    others = frame["shop"].isin(means.levels_).to_numpy()
    assert len(means.levels_) == len(counts) - 39
    assert counts[means.levels_].max() <= counts.drop(means.levels_).min()
    expected = np.array([y[others].mean(), 0])
    np.testing.assert_allclose(means.transform(pd.Series([counts.index[0], "none"])), [expected, expected])


@pytest.mark.parametrize("often", [1, 2])
def test_levels_that_tell_nothing_have_the_mean_of_all(often):
    """Each of one row, or all alike."""
    words = pd.Series(np.repeat([f"level {number}" for number in range(100)], often))
    means = LevelMeans().fit(words, counted(np.resize([0.0, 1.0], len(words))))
    np.testing.assert_allclose(means.values_[:, 0], 0.5)


def test_a_row_that_counts_twice_is_as_two():
    frame, y = sold(300, 3000, 1.0, 1.0)
    often = frame["shop"].value_counts()
    # Which levels are told apart goes by rows: these are not, doubled or not.
    rare = frame["shop"].isin(often.index[2 * often < often.iloc[39]]).to_numpy()
    weights = np.where(rare, np.random.default_rng(1).integers(1, 3, len(y)), 1)
    twice = np.repeat(np.arange(len(y)), weights)
    weighed = LevelMeans().fit(frame["shop"], counted(y, weights))
    doubled = LevelMeans().fit(frame["shop"][twice], counted(y[twice]))
    assert weighed.levels_.tolist() == doubled.levels_.tolist()
    np.testing.assert_allclose(weighed.values_, doubled.values_)
    alike = LevelMeans().fit(frame["shop"], counted(y))
    assert np.abs(weighed.values_ - alike.values_).max() > 0.1


def means_of(frame, y, folds):
    """What each row is told of its shop's mean, in the targets' own units; and the encoder."""
    encoder = Encoder()
    rows = encoder.fit_transform(frame, describe_columns(frame), y[:, None], folds)
    scale = encoder.transformer.named_transformers_["levels 0"].named_steps["scale"]
    return rows[:, -2] * scale.scale_[0] + scale.mean_[0], encoder


def test_no_row_is_told_of_its_own_fold():
    """Whatever the order of the targets in a fold is, its rows are told the same of their levels; others are told
    something else."""
    frame, y = sold(200, 600, 1.0, 1.0)
    folds, other = np.arange(600) % 5, y.copy()
    mine = (folds == 2) & frame["shop"].isin(LevelMeans().fit(frame["shop"], counted(y)).levels_).to_numpy()
    other[mine] = y[mine][::-1]
    (told, encoder), (then, _) = means_of(frame, y, folds), means_of(frame, other, folds)
    assert encoder.feature_names[-2:] == ["shop:mean", "shop:rows"]
    np.testing.assert_allclose(told[folds == 2], then[folds == 2], rtol=1e-6)
    assert np.mean(np.abs(told - then)[folds != 2] > 1e-4) > 0.2


def test_rows_are_told_what_the_other_folds_know():
    """And new rows, what all rows know."""
    frame, y = sold(200, 600, 1.0, 1.0)
    folds = np.arange(600) % 5
    told, encoder = means_of(frame, y, folds)
    every = LevelMeans().fit(frame["shop"], counted(y))
    scale = encoder.transformer.named_transformers_["levels 0"].named_steps["scale"]
    new = encoder.transform(frame)[:, -2:] * scale.scale_ + scale.mean_
    np.testing.assert_allclose(new, every.transform(frame["shop"]), rtol=1e-5, atol=1e-6)
    # Of one shop with rows in several folds: the further from the mean of all, the further the other folds' mean is.
    rare = frame["shop"].isin(every.levels_)
    shop = frame["shop"][rare].value_counts().index[0]
    mean, mine = y[rare].mean(), (frame["shop"] == shop).to_numpy()
    others = [y[mine & (folds != fold)].mean() - mean for fold in folds[mine]]
    drawn = (told[mine] - mean) / others
    assert ((drawn > 0) & (drawn < 1)).all()


def parts_of(frame, folds):
    encoder = Encoder()
    encoder.fit_transform(frame, describe_columns(frame), np.zeros((len(frame), 1)), folds)
    return {feature.part for feature in encoder.features}


def test_few_levels_are_told_apart_and_no_more():
    assert parts_of(sold(30, 300, 1.0, 1.0)[0], np.arange(300) % 5) == {"value", "level"}


def test_of_levels_that_few_rows_have_nothing_is_told():
    """A tenth of them, which would gain little."""
    common, rare = [f"shop {number % 39}" for number in range(450)], [f"rare {number % 25}" for number in range(50)]
    assert parts_of(pd.DataFrame({"shop": common + rare}), np.arange(500) % 4) == {"level"}
    assert parts_of(pd.DataFrame({"shop": common[:150] + rare}), np.arange(200) % 4) == {"level", "mean", "count"}


def test_of_levels_that_lie_in_one_fold_nothing_is_told():
    """As where a fold is of whole groups, and the column tells the group."""
    frame, _ = sold(100, 300, 1.0, 1.0)
    assert parts_of(frame, np.arange(300) % 5) == {"value", "level", "mean", "count"}
    assert parts_of(frame, pd.factorize(frame["shop"])[0] % 5) == {"value", "level"}


def test_of_times_the_earlier_rows_are_dealt_among_themselves():
    """There are two folds, the latest rows and all others, of which none may know their own targets."""
    rng = np.random.default_rng(0)
    frame, y = sold(100, 3000, 1.0, 1.0)
    frame = frame.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(3000), unit="D"), sold=y)
    table = Table(frame.iloc[rng.permutation(3000)].reset_index(drop=True), "sales", "0")
    prepared = table_task(table, Settings("sold", time="day")).prepare()
    mean = prepared.encoder.feature_names.index("shop:mean")
    assert len(np.unique(prepared.folds)) == 2
    assert "shop: levels that are not told apart are known by the mean target of their rows" in prepared.notes
    # Of each shop that is not told apart, early rows are told several things, and late ones the same.
    means, _ = (step for _, step in prepared.encoder.transformer.named_transformers_["levels 0"].steps)
    told = [len(np.unique(prepared.training.inputs[prepared.folds == number, mean])) for number in (0, 1)]
    assert told[0] <= len(means.levels_) + 1 < told[1] / 2


@pytest.mark.parametrize(("spread", "least"), [(2.0, 0.70), (0.0, -0.01)])
def test_a_model_knows_shops_and_does_not_make_them_up(spread, least):
    """Of shops that differ by 2 and vary by 1, all that could be known is an R² of .8; of shops that do not differ,
    nothing is, and nothing is lost by four rows each."""
    frame, y = sold(600, 4000, spread, 1.0)
    model = TableRegressor(model="linear", random_state=0).fit(frame[:2400], y[:2400])
    error = np.mean((y[2400:] - model.predict(frame[2400:])) ** 2)
    assert 1 - error / y[2400:].var() > least


def test_a_table_tells_how_much_its_rows_count():
    """Rows of the same shops that sold nothing, and hardly count, hardly lower what is known of them."""
    frame, y = sold(100, 1500, 1.0, 1.0)
    nothing = pd.concat([frame.assign(sold=y, count=1.0), frame.assign(sold=0.0, count=1e-6)], ignore_index=True)
    prepared = table_task(Table(nothing, "sales", "0"), Settings("sold", weights="count")).prepare()
    means, _ = (step for _, step in prepared.encoder.transformer.named_transformers_["levels 0"].steps)
    assert means.values_[:, 0].min() > 90
