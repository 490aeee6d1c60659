"""`partial_fit` of every estimator: what blocks teach is near to a fit to all rows, by objective and coefficients.

Rows drawn anew move a fit by about 1/√rows; what blocks lose is held to less than that.
"""

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

import descend.linear as ours
from descend.errors import InputError
from descend.linear.streaming import stream as stream_module

ROWS = 4000
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 5)) * np.logspace(-2, 2, 5) + 1
SCORES = (X - X.mean(0)) / X.std(0) @ np.array([1.0, -0.5, 0.0, 0.8, 0.3])
NUMBERS = SCORES + rng.standard_t(3, size=ROWS)
LABELS = np.where(SCORES + rng.logistic(size=ROWS) > 0, 1, 0)
COUNTS = rng.poisson(np.exp(0.4 * SCORES)).astype(float)
BLOCKS = pytest.mark.parametrize("block", [40, 500, ROWS])


def fed(model: Any, block: int, table: Any = X, y: Any = None, **options: Any) -> Any:
    model = clone(model)
    for start in range(0, ROWS, block):
        part = slice(start, start + block)
        model.partial_fit(table[part], *(() if y is None else (y[part],)), **options)
    return model


def away(model: Any, whole: Any) -> float:
    """The farthest coefficient, in units of the columns' spread."""
    return float(np.abs((model.coef_ - whole.coef_) * X.std(0)).max())


@BLOCKS
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_quantiles(quantile: float, alpha: float, block: int) -> None:
    model = ours.QuantileRegressor(quantile=quantile, alpha=alpha)
    whole, learner = clone(model).fit(X, NUMBERS), fed(model, block, y=NUMBERS)

    def loss(one: Any) -> float:
        errors = NUMBERS - one.predict(X)
        return float(np.mean(np.maximum(quantile * errors, (quantile - 1) * errors)) + alpha * np.abs(one.coef_).sum())

    assert loss(learner) <= loss(whole) * 1.005
    assert (learner.predict(X) > NUMBERS).mean() == pytest.approx(quantile, abs=0.02)


@BLOCKS
def test_counts(block: int) -> None:
    model = ours.PoissonRegressor(alpha=0.1)
    whole, learner = clone(model).fit(X, COUNTS), fed(model, block, y=COUNTS)
    assert away(learner, whole) < 0.01
    assert learner.score(X, COUNTS) > whole.score(X, COUNTS) - 1e-3


def test_counts_must_not_be_negative() -> None:
    with pytest.raises(InputError, match="negative"):
        ours.PoissonRegressor().partial_fit(X, NUMBERS)


@BLOCKS
@pytest.mark.parametrize("block_of_zeros", [True, False])
def test_huber(block: int, block_of_zeros: bool) -> None:
    """Whose scale is found on the way, also if the first rows know nothing of it."""
    y = NUMBERS.copy()
    if block_of_zeros:
        y[:40] = 0
    whole, learner = ours.HuberRegressor().fit(X, y), fed(ours.HuberRegressor(), block, y=y)
    assert away(learner, whole) < 0.02
    assert learner.scale_ == pytest.approx(whole.scale_, rel=0.05)


@BLOCKS
def test_a_perceptron(block: int) -> None:
    whole, learner = ours.Perceptron().fit(X, LABELS), fed(ours.Perceptron(), block, y=LABELS, classes=[0, 1])
    assert learner.score(X, LABELS) > whole.score(X, LABELS) - 0.01


@BLOCKS
def test_a_perceptron_separates_what_can_be(block: int) -> None:
    y = np.where(SCORES > 0, 1, 0)
    far = np.abs(SCORES) > 0.5
    learner = ours.Perceptron()
    for start in range(0, ROWS, block):
        part = slice(start, start + block)
        learner.partial_fit(X[part][far[part]], y[part][far[part]], classes=[0, 1])
    assert learner.score(X[far], y[far]) > 0.99


@BLOCKS
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("nu", [0.1, 0.5])
def test_one_class(nu: float, intercept: bool, block: int) -> None:
    points = (X - X.mean(0)) / X.std(0) + 3
    model = ours.OneClassSVM(nu=nu, fit_intercept=intercept, tol=1e-6)
    whole, learner = clone(model).fit(points), fed(model, block, points)

    def loss(one: Any) -> float:
        offset = one.offset_[0]
        short = np.maximum(offset - points @ one.coef_, 0).mean()
        return float(nu * one.coef_ @ one.coef_ / 2 + short + nu * (1 - offset) * intercept)

    scale = 1.0 if intercept else 20 * loss(whole)  # a loss of next to nothing, which one outlier multiplies
    assert loss(learner) <= loss(whole) + 0.01 * scale
    assert (learner.predict(points) < 0).mean() == pytest.approx((whole.predict(points) < 0).mean(), abs=0.02)


@BLOCKS
@pytest.mark.parametrize("model", [ours.LinearSVC(penalty="l1", C=0.01), ours.LogisticRegression(l1_ratio=0.9, C=0.01)])
def test_classes_with_an_l1_penalty(model: Any, block: int) -> None:
    whole, learner = clone(model).fit(X, LABELS), fed(model, block, y=LABELS, classes=[0, 1])
    assert away(learner, whole) < 0.06
    assert learner.score(X, LABELS) > whole.score(X, LABELS) - 0.01


@pytest.mark.parametrize("block", [500, ROWS])
def test_kernel_machines_on_the_first_blocks_map(block: int) -> None:
    y = np.sin(SCORES)
    table = (X - X.mean(0)) / X.std(0)
    machine = fed(ours.SVR(n_components=80, random_state=0), block, table, y)
    assert machine.feature_map_.components_.shape == (80, 5)
    assert machine.score(table, y) > clone(machine).fit(table, y).score(table, y) - 0.02
    labels = np.abs(SCORES) > 1
    learner = fed(ours.SVC(n_components=80, random_state=0), block, table, labels, classes=[False, True])
    assert learner.score(table, labels) > clone(learner).fit(table, labels).score(table, labels) - 0.02


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "HuberRegressor", "QuantileRegressor", "LinearSVR"])
@pytest.mark.parametrize("unit", [1.0, 1e6])
def test_numbers_of_any_unit_row_by_row(monkeypatch: pytest.MonkeyPatch, name: str, unit: float) -> None:
    """With many columns each row makes a step, whatever the unit of the targets is."""
    monkeypatch.setattr(stream_module, "QUADRATIC_COLUMNS", 0)
    options = {"HuberRegressor": {}, "LinearSVR": {"C": 1e9, "epsilon": 0.1 * unit}}.get(name, {"alpha": 0.0})
    table = (X - X.mean(0)) / X.std(0)
    learner = fed(getattr(ours, name)(**options), 500, sparse.csr_array(table), unit * NUMBERS)
    truth = np.corrcoef(SCORES, NUMBERS)[0, 1] ** 2
    assert learner.score(table, unit * NUMBERS) > truth - 0.03


def test_an_l1_penalty_row_by_row_leaves_columns_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "QUADRATIC_COLUMNS", 0)
    table = (X - X.mean(0)) / X.std(0)
    sizes = [np.abs(fed(ours.Lasso(alpha), 500, table, NUMBERS).coef_).sum() for alpha in (0.0, 0.1, 100.0)]
    assert sizes[0] > sizes[1] > sizes[2] == 0
