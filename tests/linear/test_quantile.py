"""Quantile regression against linear programs (HiGHS) where there are many minima, and the machine of one class without
an offset."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from descend.linear import OneClassSVM, QuantileRegressor


def table(kind: str, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(4, 60)), int(rng.integers(1, 6))
    X = rng.normal(size=(rows, columns))
    if kind == "deficient":
        X = np.hstack([X, 2 * X[:, :1], np.ones((rows, 1)), np.zeros((rows, 1))])
    if kind == "tied":
        X = rng.integers(0, 3, size=(rows, columns)).astype(float)
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=rows)
    return X, np.round(y) if kind == "tied" else y if kind != "two values" else 10.0 * (y > 0)


def least_loss(X: Any, y: Any, quantile: float, alpha: float) -> float:
    rows, columns = X.shape
    above, below = np.full((2, rows), 1 / rows) * [[quantile], [1 - quantile]]
    costs = np.concatenate([np.full(2 * columns, alpha), [0, 0], above, below])
    ones, unit = np.ones((rows, 1)), np.eye(rows)
    return float(linprog(costs, A_eq=np.hstack([X, -X, ones, -ones, unit, -unit]), b_eq=y, method="highs").fun)


@pytest.mark.parametrize("quantile", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("kind", ["plain", "deficient", "tied", "two values"])
@pytest.mark.parametrize("seed", range(3))
def test_no_line_is_better(seed: int, kind: str, alpha: float, quantile: float) -> None:
    X, y = table(kind, seed)
    model = QuantileRegressor(quantile=quantile, alpha=alpha, tol=1e-6).fit(X, y)
    errors = y - model.predict(X)
    loss = np.mean(np.maximum(quantile * errors, (quantile - 1) * errors)) + alpha * np.abs(model.coef_).sum()
    best = least_loss(X, y, quantile, alpha)
    rounding = 1e-11 * np.abs(y).max()  # HiGHS's, and that of a minimum of 0
    assert model.stop_reason_.name == "converged"
    assert loss <= best * (1 + 1e-6) + rounding
    assert loss - best <= model.duality_gap_ + rounding


def test_a_machine_of_one_class_without_an_offset_has_a_margin_of_one() -> None:
    """Scikit-learn's has a margin of 0 then, whose best coefficients are 0: every row is inside."""
    X = np.random.default_rng(0).normal(size=(50, 2)) + 2
    model = OneClassSVM(nu=0.2, fit_intercept=False, tol=1e-8).fit(X)
    assert model.offset_ == [1.0]
    np.testing.assert_allclose(model.decision_function(X), X @ model.coef_ - 1, atol=1e-12)
    assert np.abs(model.coef_).max() > 0.1
