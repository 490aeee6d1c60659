"""What users of the lasso and the elastic net rely on: known minima, the certificate, the alpha beyond which nothing is
left, weights, agreement with ridge and least squares at the ends, warm starts, sparse tables and odd targets."""

import numpy as np
import pytest
import sklearn.linear_model as peers
from scipy import optimize, sparse
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from descend.errors import InputError
from descend.linear import ElasticNet, Lasso, LinearRegression, Ridge

TIGHT = {"tol": 1e-13}
KINDS = [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array]
LINE, LINE_Y = np.array([[-1.0], [0.0], [1.0]]), np.array([-1.0, 0.0, 1.0])


def wide(rows=50, columns=200, informative=10, seed=0):
    rng = np.random.default_rng(seed)
    w = np.where(np.arange(columns) < informative, rng.normal(size=columns), 0.0)
    X, later = rng.normal(size=(2, rows, columns))
    return X, X @ w, later, later @ w


def objective(model, X, y, s=None):
    s = np.full(len(y), 1 / len(y)) if s is None else s / s.sum()
    share = getattr(model, "l1_ratio", 1.0)
    w = model.coef_
    errors = y - X @ w - model.intercept_
    return s @ errors**2 / 2 + model.alpha * (share * abs(w).sum() + (1 - share) * w @ w / 2)


@pytest.mark.parametrize(("alpha", "coef"), [(1e-8, 1.0), (0.1, 0.85), (0.5, 0.25), (1.0, 0.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_line(kind, alpha, coef):
    """The slope is max(0, 1 − 1.5 alpha)."""
    model = Lasso(alpha, **TIGHT).fit(kind(LINE), LINE_Y)
    np.testing.assert_allclose(model.coef_, [coef], atol=1e-6)
    np.testing.assert_allclose(model.predict(kind(np.array([[2.0], [4.0]]))), [2 * coef, 4 * coef], atol=1e-5)
    assert model.duality_gap_ <= 1e-12


@pytest.mark.parametrize("alpha", [1e-8, 0.5, 2.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_line_with_both_penalties(share, alpha):
    """The slope is (2/3 − alpha·share) / (2/3 + alpha (1 − share)), or 0."""
    model = ElasticNet(alpha, l1_ratio=share, **TIGHT).fit(LINE, LINE_Y)
    np.testing.assert_allclose(model.coef_, max(0, 2 / 3 - alpha * share) / (2 / 3 + alpha * (1 - share)), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_learnt_from_nothing(kind):
    model = Lasso(0.1).fit(kind(np.zeros((3, 1))), np.zeros(3))
    np.testing.assert_array_equal(model.coef_, [0])
    np.testing.assert_array_equal(model.predict(np.array([[1.0], [2.0]])), [0, 0])
    assert model.duality_gap_ == 0


@pytest.mark.parametrize("target", [0.0, 5.0])
@pytest.mark.parametrize("estimator", [Lasso, ElasticNet])
def test_targets_that_are_all_the_same(estimator, target):
    X, _, later, _ = wide(10, 3)
    np.testing.assert_allclose(estimator().fit(X, np.full(10, target)).predict(later), target, atol=1e-12)


def test_the_shape_of_one_coefficient():
    model = Lasso(fit_intercept=False).fit(np.ones((3, 1)), np.ones(3))
    assert model.coef_.shape == (1,)
    assert model.intercept_ == 0


def test_the_gap_is_between_the_objective_and_the_dual():
    """By the textbook's dual point: the errors, scaled until no column is too much like them."""
    X, y, _, _ = wide(10, 30)
    alpha = 0.01 * np.abs(X.T @ y).max() / 10
    model = Lasso(alpha, fit_intercept=False, tol=1e-3).fit(X, y)
    errors = y - X @ model.coef_
    errors /= max(np.abs(X.T @ errors).max() / (10 * alpha), 1)
    gap = objective(model, X, y) - (np.mean(y**2) - np.mean((y - errors) ** 2)) / 2
    exact = Lasso(alpha, fit_intercept=False, **TIGHT).fit(X, y)
    above = objective(model, X, y) - objective(exact, X, y)
    assert above <= model.duality_gap_ * (1 + 1e-9) + 1e-13
    assert model.duality_gap_ <= gap * (1 + 1e-6) + 1e-13


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.7, 1.0])
def test_wide_tables_are_at_the_minimum(kind, intercept, share):
    X, y, _, _ = wide()
    X = X + 1
    model = ElasticNet(0.1, l1_ratio=share, fit_intercept=intercept, **TIGHT).fit(kind(X), y)
    peer = peers.ElasticNet(0.1, l1_ratio=share, fit_intercept=intercept, tol=1e-12, max_iter=10**5).fit(X, y)
    assert objective(model, X, y) <= objective(peer, X, y) * (1 + 1e-10)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-4)


def test_what_matters_is_found_and_predicts():
    X, y, later, later_y = wide()
    model = Lasso(0.03).fit(X, y)
    assert set(np.flatnonzero(np.abs(model.coef_) > 0.1)) <= set(range(10))
    assert model.score(later, later_y) > 0.98


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [None, [1.0, 10.0, 1.0, 10.0]])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_the_alpha_beyond_which_nothing_is_left(intercept, weights, kind, share):
    X = np.array([[3.0, -1.0], [2.0, -5.0], [5.0, -3.0], [1.0, -4.0]])
    y = X @ [1.0, -2.0]
    s = np.ones(4) / 4 if weights is None else np.array(weights) / np.sum(weights)
    away = (X - s @ X * intercept, y - s @ y * intercept)
    most = np.abs(away[0].T @ (s * away[1])).max() / share
    fit = lambda alpha: ElasticNet(alpha, l1_ratio=share, fit_intercept=intercept, tol=1e-10).fit(kind(X), y, weights)
    np.testing.assert_array_equal(fit(most * (1 + 1e-9)).coef_, 0)
    assert np.abs(fit(0.99 * most).coef_).max() > 1e-3


@pytest.mark.parametrize("alpha", [1e-6, 0.1, 1.0, 1e6])
def test_without_l1_it_is_ridge(alpha):
    X, y = make_regression(150, 40, n_informative=20, effective_rank=10, random_state=0)
    weights = np.random.default_rng(0).uniform(0.01, 10, 150)
    net = ElasticNet(alpha / weights.sum(), l1_ratio=0.0, **TIGHT).fit(X, y, sample_weight=weights)
    for ridge in (Ridge(alpha, **TIGHT), peers.Ridge(alpha, solver="svd")):
        ridge.fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(net.coef_, ridge.coef_, rtol=1e-6, atol=1e-8)
        assert net.intercept_ == pytest.approx(ridge.intercept_, abs=1e-8)


@pytest.mark.parametrize("effective_rank", [None, 5])
@pytest.mark.parametrize("estimator", [Lasso, ElasticNet])
def test_without_alpha_it_is_least_squares(estimator, effective_rank):
    X, y = make_regression(150, 20, n_informative=10, effective_rank=effective_rank, random_state=0)
    weights = np.random.default_rng(0).uniform(0.01, 10, 150)
    squares = LinearRegression().fit(X, y, sample_weight=weights)
    model = estimator(alpha=0.0).fit(X, y, sample_weight=weights)  # a warning would be an error
    np.testing.assert_allclose(model.predict(X), squares.predict(X), atol=1e-8)
    np.testing.assert_allclose(model.coef_, squares.coef_, atol=1e-7)


def test_with_l1_alone_it_is_the_lasso():
    X, y, _, _ = wide()
    one, other = ElasticNet(0.1, l1_ratio=1.0, **TIGHT).fit(X, y), Lasso(0.1, **TIGHT).fit(X, y)
    np.testing.assert_array_equal(one.coef_, other.coef_)


# Weights


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [1e-3, 0.05])
def test_weights_mean_what_they_say(kind, intercept, alpha):
    rng = np.random.default_rng(0)
    X, y = rng.uniform(size=(30, 5)), rng.uniform(size=30)
    model = ElasticNet(alpha, fit_intercept=intercept, **TIGHT)
    fit = lambda X, y, weights=None: clone(model).fit(kind(X), y, sample_weight=weights)
    same = lambda one, other: np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-6)
    plain = fit(X, y)
    same(fit(X, y, np.ones(30)), plain)
    same(fit(X, y, np.full(30, 123.0)), plain)
    same(fit(X, y, 123.0), plain)
    weights = rng.uniform(0.5, 2, 30)
    same(fit(X, y, weights), fit(X, y, np.pi * weights))
    none = np.where(np.arange(30) < 5, 0.0, weights)
    same(fit(np.vstack([1e3 * X[:5], X[5:]]), y, none), fit(X[5:], y[5:], weights[5:]))
    often = rng.integers(1, 4, 30)
    same(fit(X, y, often), fit(np.repeat(X, often, 0), np.repeat(y, often)))


def test_weights_are_left_as_they_were():
    X, y, _, _ = wide(10, 5)
    weights = np.full(10, 1.25)
    ElasticNet().fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(weights, 1.25)


# Starts, ends and words


def test_a_warm_start_goes_on():
    X, y, _, _ = wide()
    model = ElasticNet(0.1, warm_start=True, max_iter=1, solver="accelerated")
    values = []
    for _ in range(4):
        with pytest.warns(ConvergenceWarning, match="iterations were made"):
            values.append(objective(model.fit(X, y), X, y))
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_a_warm_start_at_the_minimum_is_soon_over(kind):
    X, y, _, _ = wide()
    model = ElasticNet(0.1, warm_start=True).fit(kind(X), y)
    cold = model.n_iter_
    assert model.fit(kind(X), y).n_iter_ <= min(cold, 1)


def test_a_warm_start_at_a_stronger_penalty_is_nearer():
    X, y, _, _ = wide()
    model = Lasso(0.2, warm_start=True).fit(X, y).set_params(alpha=0.19).fit(X, y)
    cold = Lasso(0.19).fit(X, y)
    assert model.n_iter_ <= cold.n_iter_
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=0.02)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("estimator", [Lasso, ElasticNet])
def test_an_end_by_the_budget_is_said(estimator, kind):
    X, y, _, _ = wide()
    with pytest.warns(ConvergenceWarning, match="the duality gap is"):
        model = estimator(1e-3, max_iter=1).fit(kind(X), y)
    assert model.duality_gap_ > 1e-4 * objective(model, X, y)


@pytest.mark.parametrize("estimator", [Lasso, ElasticNet])
def test_an_easy_fit_says_nothing(estimator):
    X, y, _, _ = wide()
    assert estimator(0.1).fit(X, y).stop_reason_.name == "converged"  # a warning would be an error


def test_numbers_that_cannot_be_squared_are_refused():
    X = np.finfo(float).max * np.random.default_rng(0).uniform(size=(10, 2))
    with pytest.raises(InputError, match="too large"):
        ElasticNet(0.1).fit(X, np.arange(10.0))


@pytest.mark.parametrize("solver", ["coordinate", "accelerated"])
def test_both_solvers_come_to_the_same(solver):
    X, y, _, _ = wide(60, 30)
    model = ElasticNet(0.05, solver=solver, tol=1e-12, max_iter=20_000).fit(X, y)
    peer = peers.ElasticNet(0.05, tol=1e-13, max_iter=10**5).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-5)


# Kinds of input


def test_zeros_are_kept_as_zeros():
    X, y, _, _ = wide(60, 30)
    assert np.count_nonzero(Lasso(0.5).fit(X, y).coef_) == np.count_nonzero(
        peers.Lasso(0.5, tol=1e-12, max_iter=10**5).fit(X, y).coef_)


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_memory_that_must_not_be_written_to_is_not(kind):
    X, y, _, _ = wide(20, 8)
    table = kind(X)
    for array in (y, *((table.data, table.indices, table.indptr) if sparse.issparse(table) else (table,))):
        array.flags.writeable = False
    Lasso(0.1).fit(table, y)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
def test_targets_of_any_kind_of_number(dtype):
    X, y, _, _ = wide(40, 8)
    y = y > 0 if dtype is bool else (10 * y).astype(dtype)
    one, other = ElasticNet(0.1).fit(X, y), ElasticNet(0.1).fit(X, np.asarray(y, float))
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_single_precision_is_near(order, intercept):
    X, y, _, _ = wide(40, 12)
    fits = [ElasticNet(0.2, fit_intercept=intercept, tol=1e-10).fit(np.asarray(X, dtype, order=order), y)
            for dtype in (np.float32, np.float64)]
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, atol=1e-5)


def test_only_one_target_is_known():
    X, y, _, _ = wide(20, 8)
    with pytest.raises(ValueError, match="1d"):
        Lasso().fit(X, np.column_stack([y, y]))


def test_columns_of_very_different_units():
    """The penalty is on the coefficients as they are, so units matter to the minimum, but not to finding it."""
    X, y, _, _ = wide(80, 6)
    unit = np.logspace(-4, 4, 6)
    model = ElasticNet(0.01, tol=1e-10).fit(X * unit, y)
    peer = optimize.minimize(
        lambda v: np.mean((y - X * unit @ (v[:6] - v[6:12]) - v[12]) ** 2) / 2
        + 0.005 * (v[:12].sum() + (v[:6] - v[6:12]) @ (v[:6] - v[6:12]) / 2),
        np.append(np.maximum(model.coef_, 0), np.append(np.maximum(-model.coef_, 0), model.intercept_)) * 1.001,
        bounds=[(0, None)] * 12 + [(None, None)], options={"ftol": 1e-15, "maxfun": 10**5})
    assert objective(model, X * unit, y) <= peer.fun * (1 + 1e-8)


@pytest.mark.parametrize("estimator", [Lasso, ElasticNet])
def test_a_grid_search_finds_an_alpha(estimator):
    X, y, _, _ = wide(60, 20, 5)
    y = 3 * y + np.random.default_rng(9).normal(size=60)
    search = GridSearchCV(estimator(), {"alpha": [1e-3, 0.05, 10.0]}, cv=3).fit(X, y)
    assert search.best_params_["alpha"] in (1e-3, 0.05)
    assert search.best_score_ > 0.5


@pytest.mark.parametrize("block", [7, 60])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("model", [Lasso(0.2, tol=1e-12), ElasticNet(0.2, tol=1e-12)], ids=["lasso", "elastic net"])
def test_blocks_teach_the_same_as_all_rows(model, intercept, block):
    X, y, _, _ = wide(60, 12)
    whole = clone(model).set_params(fit_intercept=intercept).fit(X, y)
    learner = clone(whole)
    for start in range(0, 60, block):
        learner.partial_fit(X[start : start + block], y[start : start + block])
    np.testing.assert_allclose(learner.coef_, whole.coef_, atol=1e-6)
    np.testing.assert_array_equal(learner.coef_ == 0, whole.coef_ == 0)
    assert learner.intercept_ == pytest.approx(whole.intercept_, abs=1e-6)
