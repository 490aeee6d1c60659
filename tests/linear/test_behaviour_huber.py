"""What users of Huber's regression rely on: outliers found and resisted, the scale of the errors found with the
coefficients, weights as repeated rows, sparse as dense, warm starts, and least squares where nothing is an outlier."""

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor as Peer
from sklearn.linear_model import LinearRegression, Ridge

from descend.linear import HuberRegressor

TIGHT = {"tol": 1e-10}


def table(rows=60, columns=4, seed=0, share=0.15):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    y = X @ rng.normal(size=columns) + 0.3 * rng.normal(size=rows) + 1
    bad = rng.choice(rows, int(share * rows), replace=False)
    y[bad] += rng.choice([-1, 1], bad.size) * rng.uniform(5, 30, bad.size)
    return X, y, bad


def objective(v, X, y, s, alpha, epsilon):
    w, b, scale = v[:-2], v[-2], v[-1]
    u = np.abs(y - X @ w - b) / scale
    return np.sum(s * (scale + scale * np.where(u <= epsilon, u**2, 2 * epsilon * u - epsilon**2))) + alpha * w @ w


def same(one, other, tolerance=1e-4):
    np.testing.assert_allclose(one.coef_, other.coef_, atol=tolerance)
    assert one.intercept_ == pytest.approx(other.intercept_, abs=tolerance)
    assert one.scale_ == pytest.approx(other.scale_, abs=tolerance)


@pytest.mark.parametrize("epsilon", [1.05, 1.35, 2.5])
@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0])
def test_it_is_the_minimum_over_coefficients_and_scale(alpha, epsilon):
    X, y, _ = table()
    model = HuberRegressor(alpha=alpha, epsilon=epsilon, **TIGHT).fit(X, y)
    found = np.concatenate([model.coef_, [model.intercept_, model.scale_]])
    value = lambda v: objective(v, X, y, 1.0, alpha, epsilon)
    start = np.concatenate([found[:-1] + 0.1, [2 * found[-1]]])
    peer = optimize.minimize(value, start, bounds=[(None, None)] * 5 + [(1e-9, None)],
                             options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 10_000, "maxfun": 10**6})
    assert value(found) <= peer.fun * (1 + 1e-9)
    assert value(found) / len(y) == pytest.approx(min(model.loss_curve_), rel=1e-9)


def test_it_is_the_peers_minimum():
    X, y, _ = table(rows=200)
    model, peer = HuberRegressor(alpha=0.5, **TIGHT).fit(X, y), Peer(alpha=0.5, tol=1e-9, max_iter=1000).fit(X, y)
    same(model, peer, 1e-3)
    np.testing.assert_array_equal(model.outliers_, peer.outliers_)


def test_a_great_epsilon_is_least_squares():
    X, y, _ = table()
    model, squares = HuberRegressor(epsilon=1e3, alpha=0.0, **TIGHT).fit(X, y), LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_, squares.coef_, atol=1e-5)
    assert model.intercept_ == pytest.approx(squares.intercept_, abs=1e-5)
    assert model.scale_ == pytest.approx(np.sqrt(np.mean((y - squares.predict(X)) ** 2)), rel=1e-5)


def test_an_epsilon_of_one_is_least_absolute_errors():
    X, y, _ = table()
    model = HuberRegressor(epsilon=1.0, alpha=0.0, **TIGHT).fit(X, y)
    ones = np.ones((len(y), 1))
    program = optimize.linprog(np.r_[np.zeros(5), np.ones(len(y))], np.vstack(
        [np.hstack([X, ones, -np.eye(len(y))]), np.hstack([-X, -ones, -np.eye(len(y))])]), np.r_[y, -y],
        bounds=[(None, None)] * 5 + [(0, None)] * len(y))
    assert model.stop_reason_.name == "converged"
    assert np.abs(y - model.predict(X)).sum() == pytest.approx(program.fun, rel=1e-8)
    assert min(model.loss_curve_) == pytest.approx(2 * program.fun / len(y), rel=1e-8)


def test_the_budget_is_kept():
    X, y, _ = table()
    with pytest.warns(ConvergenceWarning, match="1 iterations were made"):
        model = HuberRegressor(max_iter=1, **TIGHT).fit(X, y)
    assert model.n_iter_ == model.max_iter == 1


def test_weights_of_one_are_none():
    X, y, _ = table()
    same(HuberRegressor(**TIGHT).fit(X, y, sample_weight=np.ones(len(y))), HuberRegressor(**TIGHT).fit(X, y), 1e-6)


@pytest.mark.parametrize("rows", [8, 60])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_weights_are_rows_given_more_often(kind, rows):
    """Also of fewer rows than columns, with whose scale of nothing each row lies on the plane."""
    X, y, _ = table(rows, 20 if rows == 8 else 4)
    often = np.ones(rows, int)
    often[[1, 3]] = [3, 2]
    one = HuberRegressor(**TIGHT).fit(kind(X), y, sample_weight=often)
    other = HuberRegressor(**TIGHT).fit(np.repeat(X, often, 0), np.repeat(y, often))
    same(one, other, 1e-3 if rows == 8 else 1e-4)


def test_sparse_is_dense():
    X, y, _ = table()
    X[np.abs(X) < 0.7] = 0
    dense, thin = (HuberRegressor(alpha=0.1, **TIGHT).fit(kind, y) for kind in (X, sparse.csr_matrix(X)))
    same(dense, thin)
    np.testing.assert_array_equal(dense.outliers_, thin.outliers_)


def test_outliers_are_those_that_were_put_there():
    X, y, bad = table(rows=300)
    model = HuberRegressor(epsilon=2.0).fit(X, y)
    assert model.outliers_[bad].all()
    np.testing.assert_array_equal(model.outliers_, np.abs(y - model.predict(X)) > 2.0 * model.scale_)


@pytest.mark.parametrize("factor", [1e-8, 2.0, 1e8])
def test_outliers_do_not_depend_on_units(factor):
    X, y, _ = table()
    model = HuberRegressor(fit_intercept=False, alpha=0.0, **TIGHT)
    first = clone(model).fit(X, y)
    assert 0 < first.outliers_.sum() < len(y)
    for scaled in (clone(model).fit(X, factor * y), clone(model).fit(factor * X, factor * y)):
        np.testing.assert_array_equal(scaled.outliers_, first.outliers_)
        assert scaled.scale_ == pytest.approx(factor * first.scale_, rel=1e-4)


def test_targets_in_units_of_their_scale_have_a_scale_of_one():
    X, y, _ = table()
    model = HuberRegressor(fit_intercept=False, alpha=0.0, **TIGHT)
    scale = clone(model).fit(X, y).scale_
    assert clone(model).fit(X / scale, y / scale).scale_ == pytest.approx(1, abs=1e-4)


def test_a_warm_start_begins_at_the_minimum():
    X, y, _ = table()
    model = HuberRegressor(alpha=1.0, warm_start=True, tol=1e-6).fit(X, y)
    cold, coef = model.n_iter_, model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ <= cold
    np.testing.assert_allclose(model.coef_, coef, atol=1e-3)


def test_it_is_better_where_rows_are_good_and_worse_where_they_are_not():
    X, y, _ = table(rows=150)
    model, ridge = HuberRegressor(alpha=0.01).fit(X, y), Ridge(alpha=0.01).fit(X, y)
    good = ~model.outliers_
    assert model.score(X[good], y[good]) > ridge.score(X[good], y[good])
    assert model.score(X[~good], y[~good]) < ridge.score(X[~good], y[~good])


def test_truth_values_are_columns():
    X, y, _ = table()
    same(HuberRegressor().fit(X > 0, y), HuberRegressor().fit((X > 0).astype(float), y), 1e-12)


@pytest.mark.parametrize("noise", [0.0, 1e-6])
@pytest.mark.parametrize("seed", [2, 8, 12, 18])
def test_small_errors_are_no_trouble(seed, noise):
    """Beside targets so great, errors are known to few digits, and so is the loss."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(97, 4))
    y = X @ [1.0, -2.0, 0.5, 3.0] + noise * rng.standard_t(2, size=97)
    model = HuberRegressor(epsilon=5.0, alpha=1e-4, tol=1e-8).fit(X, y)  # a warning would be an error
    assert model.stop_reason_.name == "converged"


@pytest.mark.parametrize("block", [25, 200, 2000])
def test_blocks_teach_coefficients_and_scale(block):
    X, y, _ = table(rows=2000, share=0.05)
    whole, model = HuberRegressor(**TIGHT).fit(X, y), HuberRegressor(**TIGHT)
    for start in range(0, 2000, block):
        model.partial_fit(X[start : start + block], y[start : start + block])
    error = 0.3 / np.sqrt(2000)  # of the coefficients of either, as rows are drawn at random
    np.testing.assert_allclose(model.coef_, whole.coef_, atol=2 * error)
    assert model.scale_ == pytest.approx(whole.scale_, rel=0.1)
    assert model.outliers_.shape == (block,)
