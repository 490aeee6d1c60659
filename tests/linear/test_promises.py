"""Promises that were once broken: columns far from 0 in a sparse matrix or a file, columns that depend on each other in
units far apart, problems without a minimum, penalties next to nothing, and what is copied.
"""

import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning

from descend import linear
from descend._blocks.files import Blocks
from descend.errors import InputError
from descend.linear import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from enforced import without_types

ROWS = 2000


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    """A promise that is kept is kept without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def least_squares(X: Any, y: Any) -> float:
    """The least half mean square, by the QR decomposition of centred columns in units of their spread."""
    away = X - X.mean(axis=0)
    away = away / np.where(away.std(axis=0) > 0, away.std(axis=0), 1.0)
    rest = y - y.mean() - away @ np.linalg.lstsq(away, y - y.mean(), rcond=None)[0]
    return float(rest @ rest) / (2 * len(y))


def half_mean_square(model: Any, X: Any, y: Any) -> float:
    return float(np.mean((y - model.predict(X)) ** 2)) / 2


@pytest.mark.parametrize("container", ["csr", "csc", "file"])
@pytest.mark.parametrize("model", [Ridge(1e-6), LinearRegression(), LogisticRegression(tol=1e-8)],
                         ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("offset", [1e7, -1e9])
def test_a_column_far_from_0_is_not_taken_for_the_intercept(
    model: Any, container: str, offset: float, tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=(2, ROWS))
    y = 3 * x + 0.1 * e if is_regressor(model) else (x + 0.3 * e > 0).astype(int)
    far = x + offset
    parquet.write_table(pyarrow.table({"x": far, "y": y}), tmp_path / "rows.parquet")
    blocks = Blocks(tmp_path / "rows.parquet", "y", rows=300)
    if container == "file":
        model.fit(blocks)
        X = sparse.vstack([rows for rows, _ in blocks])
    else:
        X = (sparse.csr_array if container == "csr" else sparse.csc_array)(far[:, None])
        model.fit(X, y)
    assert model.stop_reason_.name == "converged"
    if is_regressor(model):
        assert half_mean_square(model, X, y) == pytest.approx(least_squares(far[:, None], y), rel=1e-6)
        return
    near = LogisticRegression(tol=1e-8).fit((far - far.mean())[:, None], y)
    z, best = model.decision_function(X), near.decision_function((far - far.mean())[:, None])
    np.testing.assert_allclose(z, best, atol=1e-3 * np.abs(best).max())


def test_a_file_whose_first_block_is_not_like_the_others_is_looked_at_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS) + 2e9
    x[:100] = 2e9 + 1e6  # a constant, and no mean to take away from the others
    y = x - 2e9 + 0.1 * rng.normal(size=ROWS)
    y[:100] = 1e6
    parquet.write_table(pyarrow.table({"x": x, "y": y}), tmp_path / "rows.parquet")
    blocks = Blocks(tmp_path / "rows.parquet", "y", rows=100)
    model = LinearRegression().fit(blocks)
    X = sparse.vstack([rows for rows, _ in blocks])
    assert half_mean_square(model, X, y) == pytest.approx(least_squares(x[:, None], y), rel=1e-5)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("dtype", "unit"), [
    (np.float32, 1e3), (np.float32, 1e6), (np.float64, 1e3), (np.float64, 1e12),
])
def test_levels_that_make_up_the_intercept_beside_a_column_in_great_units(
    container: Any, dtype: Any, unit: float,
) -> None:
    rng = np.random.default_rng(0)
    level, z = rng.integers(0, 5, ROWS), rng.normal(size=ROWS)
    y = level + 2 * z + 0.1 * rng.normal(size=ROWS)
    X = np.column_stack([np.eye(5)[level], unit * z]).astype(dtype)
    model = LinearRegression().fit(container(X), y)
    assert model.score(container(X), y) > 0.99
    assert half_mean_square(model, X, y) == pytest.approx(least_squares(X.astype(np.float64), y), rel=1e-6)
    assert "columns that others, or the intercept, make up: 0, 1, 2, 3, 4" in model.stop_reason_.evidence


@pytest.mark.parametrize("alpha", [0.0, 1e-30, 1e-12, 1e-10, 1e-6, 1e-3])
def test_next_to_no_penalty_on_more_columns_than_rows_is_the_limit(alpha: float) -> None:
    """The exact solution is that of the dual's equations, w = Xᵀ(XXᵀ + alpha)⁻¹y."""
    rng = np.random.default_rng(42)
    X = rng.normal(size=(50, 100))
    y = X @ rng.normal(size=100) + 10
    away = X - X.mean(axis=0)
    values, vectors = np.linalg.eigh(away @ away.T)
    values, vectors = values[1:], vectors[:, 1:]  # centred rows depend on each other
    exact = away.T @ (vectors @ (vectors.T @ (y - y.mean()) / (values + alpha)))
    model = Ridge(alpha, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, exact, rtol=1e-8, atol=1e-9)


def table_with_an_empty_group() -> tuple[pd.DataFrame, Any, Any]:
    """Indicators of groups and a number; counts, which are 0 in group c; and the groups."""
    rng = np.random.default_rng(0)
    group, x = rng.integers(0, 4, 300), rng.normal(size=300)
    y = np.where(group == 2, 0, 1 + rng.poisson(np.exp(0.3 * x + 0.5)))
    return pd.DataFrame({**{name: group == i for i, name in enumerate("abcd")}, "x": x}, dtype=float), y, group


@pytest.mark.parametrize("container", [lambda X: X, lambda X: X.to_numpy(), lambda X: sparse.csc_array(X.to_numpy())])
def test_counts_that_are_0_in_a_group_have_no_estimate(container: Any) -> None:
    X, y, _ = table_with_an_empty_group()
    with pytest.warns(ConvergenceWarning, match="72 of the rows whose count is 0"):
        model = PoissonRegressor(alpha=0.0).fit(container(X), y)
    assert model.stop_reason_.name == "unbounded"
    named = model.stop_reason_.evidence.split("along columns: ")[1]
    assert named[0] == ("c" if hasattr(model, "feature_names_in_") else "2")


def test_counts_with_zeros_in_every_group_have_one() -> None:
    X, y, group = table_with_an_empty_group()
    y[np.flatnonzero(group == 2)[0]] = 1
    assert PoissonRegressor(alpha=0.0).fit(X.drop(columns="d"), y).stop_reason_.name == "converged"


def test_a_penalty_gives_counts_an_estimate() -> None:
    X, y, _ = table_with_an_empty_group()
    assert PoissonRegressor(alpha=1e-3).fit(X, y).stop_reason_.name == "converged"


@pytest.mark.parametrize("several", [False, True])
def test_columns_that_separate_classes_are_named(several: bool) -> None:
    X, _, group = table_with_an_empty_group()
    with pytest.warns(ConvergenceWarning, match="a plane separates the classes"):
        model = LogisticRegression(C=np.inf).fit(X.drop(columns="d"), group if several else group == 2)
    assert set(model.stop_reason_.evidence.split("along columns: ")[1].split(", ")) <= {"a", "b", "c"}


def test_a_poisson_fit_to_a_file_without_a_penalty_is_refused(tmp_path: Path) -> None:
    """As its rows are not in memory, it is not known whether there is an estimate."""
    parquet.write_table(pyarrow.table({"x": [0.0, 1.0], "y": [0, 1]}), tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="an l2 penalty"):
        PoissonRegressor(alpha=0.0).fit(Blocks(tmp_path / "rows.parquet", "y"))


@pytest.mark.parametrize(("labels", "multi_class"), [(2, "multinomial"), (3, "multinomial"), (3, "ovr")])
def test_logarithms_of_probabilities_have_no_floor(labels: int, multi_class: str) -> None:
    """log p = z − log Σ exp z, whose greatest is next to 0; SciPy's floats end at exp(−745)."""
    x = np.arange(labels, dtype=float)[:, None]
    model = LogisticRegression(C=1e3, multi_class=multi_class).fit(x, np.arange(labels))
    far = np.array([[-1e4], [1e4]])
    z = model.decision_function(far)
    z = np.column_stack([0 * z, z]) if z.ndim == 1 else z
    z = z if multi_class == "multinomial" else -np.logaddexp(0, -z)
    wanted = z - np.logaddexp.reduce(z, axis=1)[:, None]
    np.testing.assert_allclose(model.predict_log_proba(far), wanted, rtol=1e-12, atol=1e-12)
    assert wanted.min() < -1000


SINGLE = [linear.LinearRegression(), linear.Ridge(), linear.Lasso(0.1), linear.HuberRegressor(),
          linear.QuantileRegressor(alpha=0.01), linear.LinearSVR(), linear.LogisticRegression(), linear.LinearSVC(),
          linear.OneClassSVM(), linear.Perceptron(max_iter=1000)]


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("model", SINGLE, ids=lambda model: type(model).__name__)
def test_coefficients_are_of_the_precision_of_the_table(model: Any, container: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    z = X @ [1.0, -1.0, 0.5]
    y = z + rng.normal(size=200) if is_regressor(model) else (z > 0).astype(int)
    assert model.fit(container(X.astype(np.float32)), y).coef_.dtype == np.float32
    assert model.fit(container(X), y).coef_.dtype == np.float64


def test_an_intercept_goes_with_rounded_coefficients() -> None:
    """A column of float32 at 1e5: its coefficient's last digit is worth 1e5 times as much in a score."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(ROWS, 1)) + 1e5).astype(np.float32)
    y = 3 * (X[:, 0].astype(np.float64) - 1e5) + 0.01 * rng.normal(size=ROWS)
    model = LinearRegression().fit(X, y)
    assert half_mean_square(model, X, y) == pytest.approx(least_squares(X.astype(np.float64), y), rel=1e-6)


def test_coefficients_that_float32_cannot_tell_are_not_called_a_minimum() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    X = np.column_stack([x, x * (1 + 1e-7 * rng.integers(-2, 3, ROWS))]).astype(np.float32)
    y = X.astype(np.float64) @ [987_654_321.0, -987_654_000.0]
    with pytest.warns(ConvergenceWarning, match="in float32 the coefficients are .* give X in float64"):
        LinearRegression().fit(X, y)
    assert LinearRegression().fit(X.astype(np.float64), y).stop_reason_.name == "converged"


@pytest.mark.parametrize("name", ["fit_intercept", "warm_start"])
@pytest.mark.parametrize("value", ["no", 0, None])
def test_a_flag_is_true_or_false(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{name} is {value!r}: it must be True or False"), without_types():
        Ridge(**{name: value}).fit([[0.0], [1.0]], [0.0, 1.0])


def test_columns_that_depend_on_each_other_are_not_copied() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100_000, 50))
    X[:, -1] = X[:, 0] + X[:, 1]
    y = X @ np.ones(50) + rng.normal(size=100_000)
    tracemalloc.start()
    model = LinearRegression().fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert model.stop_reason_.name == "converged"
    assert peak < 0.2 * X.nbytes
