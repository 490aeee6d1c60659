"""Hashed columns, most of them 0 everywhere: the fit is that of the others, and is told in all of them."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from descend.linear import HuberRegressor, Lasso, LinearRegression, LinearSVC, LogisticRegression, Ridge

WIDTH, ROWS = 2**16, 400


def hashed() -> tuple[Any, np.ndarray, np.ndarray]:
    """Six columns among many, the places of these, and scores."""
    rng = np.random.default_rng(0)
    few = rng.normal(size=(ROWS, 6)) * [1, 10, 1e3, 1e-3, 1, 1] + [0, 0, 5e3, 0, 1, 0]
    places = np.sort(rng.choice(WIDTH, 6, replace=False))
    rows = np.repeat(np.arange(ROWS), 6)
    X = sparse.csr_array((few.ravel(), (rows, np.tile(places, ROWS))), shape=(ROWS, WIDTH))
    z = (few - few.mean(0)) / few.std(0) @ rng.normal(size=6) + rng.logistic(size=ROWS)
    return X, places, z


@pytest.mark.parametrize("model", [
    LogisticRegression(tol=1e-10), LogisticRegression(tol=1e-10, multi_class="ovr"), LinearSVC(tol=1e-10, C=0.1),
    Ridge(tol=1e-10), Lasso(alpha=0.1, tol=1e-10), LinearRegression(), HuberRegressor(tol=1e-10),
], ids=lambda model: type(model).__name__)
def test_it_is_the_fit_of_the_columns_that_are_not_0(model: Any) -> None:
    X, places, z = hashed()
    classes = model._estimator_type == "classifier" if hasattr(model, "_estimator_type") else hasattr(model, "C")
    several = getattr(model, "multi_class", "") == "ovr"
    y = np.digitize(z, [-1.0, 1.0]) if several else (z > 0).astype(int) if classes else z
    given = model.fit(X, y).predict(X)
    w, b = np.atleast_2d(model.coef_), model.intercept_
    assert w.shape[1] == WIDTH
    assert model.n_features_in_ == WIDTH
    assert not np.delete(w, places, axis=1).any()
    model.fit(X[:, places], y)
    few = np.atleast_2d(model.coef_)
    np.testing.assert_allclose(w[:, places], few, rtol=1e-4, atol=1e-5 * np.abs(few).max())
    np.testing.assert_allclose(b, model.intercept_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(given, model.predict(X[:, places]), rtol=1e-4, atol=1e-4)


def test_it_begins_where_it_was() -> None:
    X, _, z = hashed()
    model = LogisticRegression(tol=1e-9, warm_start=True).fit(X, z > 0)
    end = model.loss_curve_[-1]
    assert model.fit(X, z > 0).loss_curve_[0] == pytest.approx(end, rel=1e-9)


def test_long_rows_beside_a_weak_penalty_are_not_left_to_the_dual() -> None:
    """Its ascent takes as many epochs as the rows' mean square beside the penalty: here a million."""
    rng = np.random.default_rng(0)
    X = sparse.random_array((3000, 2500), density=0.01, rng=rng, format="csr")
    y = (np.asarray(X.sum(axis=1)) + 0.5 * rng.normal(size=3000) > 12.5).astype(int)
    assert LogisticRegression().fit(X, y).solver_.startswith("dual")
    X.data[X.indices == 0] *= 1e5
    model = LogisticRegression().fit(X, y)
    assert model.solver_.startswith("lbfgs")
    assert model.stop_reason_.name == "converged"
