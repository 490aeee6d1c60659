"""The units in which every scaler of the project puts numbers: a column is constant if no more than rounding varies."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from descend._scaling import centre_and_unit
from descend.linear import SVC, Blocks, LinearRegression
from descend.linear.estimators.validation import Data
from descend.neural import ConvClassifier, MLPClassifier, MLPRegressor
from descend.optimizers import SGD
from descend.rl._moments import Moments
from descend.tasks.common.columns import describe_columns
from descend.tasks.common.examples import hold_out
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.task import table_task

ROWS = 150
RNG = np.random.default_rng(0)
SHARES = RNG.dirichlet(np.ones(50), ROWS)
CONSTANT = {
    "the same number": np.full(ROWS, 0.1),
    "0.3 in two ways": np.where(np.arange(ROWS) % 2, 0.1 + 0.2, 0.3),
    "sums of shares": SHARES.sum(axis=1),
    "in single precision": SHARES.astype(np.float32).sum(axis=1),
}
BRIEF = {"optimizer": SGD(0.1), "epochs": 1, "random_state": 0}


@pytest.mark.parametrize("kind", CONSTANT)
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_a_constant_has_no_spread_whatever_its_size(kind, size):
    column = CONSTANT[kind] * CONSTANT[kind].dtype.type(size)
    centre, unit = centre_and_unit(column[:, None])
    assert unit.tolist() == [1.0]
    assert centre[0] == pytest.approx(column[0], rel=1e-6)


def test_sums_of_many_rows_do_not_make_a_spread():
    """They are added up one after the other: a sum of a hundred thousand 0.1 is wrong in its eleventh digit."""
    assert centre_and_unit(np.full((100_000, 2), 0.1))[1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("weighted", [False, True])
def test_other_columns_are_in_units_of_their_spread(weighted):
    """Held against fractions: small numbers, those far from 0, and such as differ by their seventh digit."""
    rows = np.column_stack([RNG.normal(size=ROWS) * 1e-12, 1e10 + np.arange(ROWS) % 2, RNG.normal(1e7, 1, ROWS)])
    weights = np.arange(1, ROWS + 1) if weighted else np.ones(ROWS, int)
    centre, unit = centre_and_unit(rows, weights if weighted else None)
    for j, column in enumerate(rows.T):
        exact, total = [Fraction(x) for x in column.tolist()], int(weights.sum())
        mean = sum(w * x for w, x in zip(weights.tolist(), exact, strict=True)) / total
        variance = sum(w * (x - mean) ** 2 for w, x in zip(weights.tolist(), exact, strict=True)) / total
        assert centre[j] == pytest.approx(float(mean), rel=1e-14)
        assert unit[j] == pytest.approx(float(variance) ** 0.5, rel=1e-9)


@pytest.mark.parametrize("kind", CONSTANT)
def test_a_perceptron_does_not_see_a_constant_that_is_another_one_later(kind):
    rows, rest = RNG.normal(size=(ROWS, 2)), CONSTANT[kind]
    X = np.column_stack([rows.astype(rest.dtype), rest])
    model = MLPClassifier(4, **BRIEF).fit(X, np.arange(ROWS) % 2)
    before = model.predict_proba(X)
    X[:, 2] = 0.1000001 * rest / 0.1
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-5)


def test_constant_targets_and_pixels():
    """The second target is constant, and all pixels of the pictures are."""
    X = RNG.normal(size=(ROWS, 2))
    model = MLPRegressor(4, **BRIEF).fit(X, np.column_stack([X[:, 0], np.full(ROWS, 0.1)]))
    assert model.unit_.tolist() == [pytest.approx(X[:, 0].std()), 1.0]
    assert ConvClassifier("lenet", **BRIEF).fit(np.full((40, 12, 12), 0.1), np.arange(40) % 2).scale_ == 1.0


def test_a_target_of_a_table_that_is_constant_where_it_is_learnt_from():
    frame = pd.DataFrame({"x": np.arange(100.0), "y": np.full(100, 0.1)})
    _, held_out = hold_out(100, Target("regression", (), ""), None, Settings("y"), "rows")
    frame.loc[held_out, "y"] = np.linspace(0, 1, len(held_out))
    scale = table_task(Table(frame, "t", ""), Settings("y")).prepare().scale
    assert (scale.centre, scale.unit) == (pytest.approx(0.1), 1.0)


@pytest.mark.parametrize("kind", ["the same number", "0.3 in two ways", "sums of shares"])
def test_a_column_of_a_table_that_is_constant_where_it_is_learnt_from(kind):
    """It varies in rows that are held out: else it would be left out."""
    frame = pd.DataFrame({"a": RNG.normal(size=ROWS), "b": CONSTANT[kind]})
    later = frame.assign(b=frame["b"] * 1.000001)
    encoder = Encoder().fit(frame, describe_columns(pd.concat([frame, later])))
    np.testing.assert_allclose(encoder.transform(later), encoder.transform(frame), atol=1e-5)


@pytest.mark.parametrize("world", [np, jnp], ids=["numpy", "jax"])
def test_an_observation_that_is_constant_for_long_is_not_the_greatest_once_it_changes(world):
    """Observations of three rollouts, whose means round: after these, a change is as large as it is, and is not cut."""
    moments, seen = Moments.none((4,)), RNG.normal(5, 2, (3, 37, 4)).astype(np.float32)
    seen[..., :3] = [0.1, 1e6, -3e-7]
    for rows in seen:
        moments = moments.merged(world.asarray(rows))
    later = seen[0, :1] + np.float32(0.5)
    np.testing.assert_allclose(np.asarray(moments.normalized(world.asarray(later)))[0, :3], 0.5, rtol=1e-5)
    assert np.asarray(moments.variance)[:3].tolist() == [0, 0, 0]
    np.testing.assert_allclose(moments.variance[3], seen[..., 3].var(dtype=np.float64), rtol=1e-4)


def test_rewards_that_are_all_alike_stay_what_they_are():
    moments = Moments.none(()).merged(np.full(37, 0.1, np.float32))
    np.testing.assert_allclose(moments.scaled(np.full(3, 0.1, np.float32)), 0.1, rtol=1e-6)


def test_the_kernel_of_a_constant_table():
    """`gamma="scale"` is one over the variance of all numbers; rounding about 0.1 made it 1e33."""
    gamma = lambda X: SVC()._gamma(Data(X, None, None))
    assert gamma(np.full((40, 3), 0.1)) == pytest.approx(1 / 3)
    far = RNG.normal(1e8, 1, (40, 3))
    assert gamma(far) == pytest.approx(1 / (3 * far.var()), rel=1e-6)
    few = np.where(RNG.random((40, 3)) < 0.5, 0, RNG.normal(size=(40, 3)))
    assert gamma(sparse.csr_array(few)) == pytest.approx(1 / (3 * few.var()))


@pytest.mark.parametrize("kind", ["0.3 in two ways", "sums of shares"])
@pytest.mark.parametrize("where", ["dense", "sparse", "file"])
def test_linear_models_do_not_fit_to_rounding(kind, where, tmp_path):
    """From sparse columns far from 0 their mean is taken away, after which nothing but rounding is left."""
    X = np.column_stack([RNG.normal(size=(ROWS, 2)), CONSTANT[kind]])
    y = X[:, 0] + RNG.normal(size=ROWS)
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y)
    frame.to_parquet(tmp_path / "t.parquet")
    given = {"dense": (X, y), "sparse": (sparse.csr_array(X), y), "file": (Blocks(tmp_path / "t.parquet", "y"), None)}
    assert np.abs(LinearRegression().fit(*given[where]).coef_).max() < 100
