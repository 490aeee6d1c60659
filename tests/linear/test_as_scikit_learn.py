"""What users of scikit-learn take for granted: limits of penalties, no iterations, precisions, sparse coefficients."""

from typing import Any

import numpy as np
import pytest
from scipy import optimize, sparse

from descend.linear import (
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
Y = X @ [1.0, -1.0, 0.5, 0.0] + rng.normal(size=60)
LABELS = (Y > 0).astype(int)


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("alpha", [1e-16, 1e-13, 1e-10])
def test_next_to_no_penalty_chooses_the_least_norm(alpha: float, container: Any) -> None:
    """Along directions that the rows do not tell of, all curvature is the penalty's."""
    wide = np.random.default_rng(1).normal(size=(30, 70))
    y = wide @ np.random.default_rng(2).normal(size=70) + 3
    for intercept in (True, False):
        found = Ridge(alpha, fit_intercept=intercept, tol=1e-12).fit(container(wide), y)
        assert found.stop_reason_.name == "converged"
        centre = wide.mean(axis=0) * intercept
        best = np.linalg.lstsq(wide - centre, y - y.mean() * intercept, rcond=None)[0]
        np.testing.assert_allclose(found.coef_, best, atol=1e-8)


@pytest.mark.parametrize("model", [PoissonRegressor(alpha=0.0), GammaRegressor(alpha=0.0)])
def test_of_all_minima_that_of_the_least_norm(model: Any) -> None:
    """Columns that are there twice, in other units: the minimum is that of one of them, divided among both."""
    y = np.exp(0.3 * Y)
    alone = model.set_params(tol=1e-12).fit(X, y).coef_.copy()
    twice = model.fit(np.hstack([X, 3 * X[:, :1]]), y)
    assert twice.stop_reason_.name == "converged"
    np.testing.assert_allclose(twice.coef_[[0, 4]], alone[0] * np.array([0.1, 0.3]), atol=1e-8)
    np.testing.assert_allclose(twice.coef_[1:4], alone[1:], atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "sgd"])
def test_no_iterations_leave_the_start(solver: str) -> None:
    model = LogisticRegression(max_iter=0, solver=solver).fit(X, LABELS)
    assert not model.coef_.any()
    assert (model.n_iter_, model.stop_reason_.name) == (0, "budget")
    assert len(model.loss_curve_) == 1
    model = LogisticRegression(solver=solver, warm_start=True).fit(X, LABELS)
    before = model.coef_
    np.testing.assert_allclose(model.set_params(max_iter=0).fit(X, LABELS).coef_, before, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_iterations_of_other_models() -> None:
    for model in (Ridge(), Lasso(), LinearRegression(), PoissonRegressor(), Perceptron()):
        model.set_params(max_iter=0).fit(X, np.abs(Y) if isinstance(model, PoissonRegressor) else LABELS)
        assert not model.coef_.any()
        assert model.n_iter_ == 0
    many = np.tile(X, (700, 8))  # of so many rows, a sample would be looked at first
    assert not LogisticRegression(max_iter=0).fit(many, np.tile(LABELS, 700)).coef_.any()


def test_all_that_float64_tells() -> None:
    """Below 1e-13 a descent goes on to the last: its coefficients are those of equations that are solved by SciPy."""
    y = np.abs(Y) + 0.1
    for alpha in (0.0, 0.01, 1.0):
        found = PoissonRegressor(alpha=alpha, tol=0.0).fit(X, y)
        assert found.stop_reason_.name == "converged"

        def gradient(v: Any, alpha: float = alpha) -> Any:
            away = np.exp(X @ v[:-1] + v[-1]) - y
            return np.append(X.T @ away / 60 + alpha * v[:-1], away.mean())

        best = optimize.root(gradient, np.append(found.coef_, found.intercept_) + 0.01, tol=1e-15).x
        np.testing.assert_allclose(np.append(found.coef_, found.intercept_), best, rtol=1e-10, atol=1e-12)


def test_predictions_are_of_the_precision_of_the_rows() -> None:
    for model, names in ((Ridge(), ["predict"]), (PoissonRegressor(), ["predict"]),
                         (LogisticRegression(), ["decision_function", "predict_proba", "predict_log_proba"])):
        model.fit(X, LABELS)
        for name in names:
            exact, rough = (getattr(model, name)(X.astype(kind)) for kind in (np.float64, np.float32))
            assert (exact.dtype, rough.dtype) == (np.float64, np.float32)
            np.testing.assert_allclose(rough, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_sparse_coefficients_predict_the_same(classes: int) -> None:
    y = np.digitize(Y, [-0.5, 0.5][: classes - 1])
    model = LogisticRegression(l1_ratio=1.0, C=0.2, multi_class="ovr", tol=1e-10, warm_start=True).fit(X, y)
    dense, expected = model.coef_, model.predict_proba(X)
    assert model.sparsify() is model
    assert sparse.issparse(model.coef_)
    assert model.coef_.nnz == np.count_nonzero(dense) < dense.size
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(model.densify().coef_, dense)
    np.testing.assert_allclose(model.sparsify().fit(X, y).coef_, dense, atol=1e-3)
