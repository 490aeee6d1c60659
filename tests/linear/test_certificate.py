"""The duality gap bounds how far a model is from the best one: against SciPy, on every smooth loss and penalty."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse, special

from descend.linear._kernels import losses
from descend.linear._kernels.losses import Loss
from descend.linear._matrix import Matrix, Rows
from descend.linear._problem import Problem
from descend.linear._solution import Watch
from descend.linear._solve import solve

SMOOTH: dict[str, tuple[Loss, Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {  # with value and slope
    "squared": (Loss(losses.SQUARED), lambda z, y: 0.5 * (z - y) ** 2, lambda z, y: z - y),
    "logistic": (
        Loss(losses.LOGISTIC), lambda z, y: np.logaddexp(0, -y * z), lambda z, y: -y * special.expit(-y * z),
    ),
    "squared hinge": (
        Loss(losses.SQUARED_HINGE),
        lambda z, y: np.maximum(1 - y * z, 0) ** 2, lambda z, y: -2 * y * np.maximum(1 - y * z, 0),
    ),
    "huber": (
        Loss(losses.HUBER, 1.35, 0.7),
        lambda z, y: 0.7 + 1.4 * special.huber(1.35, (z - y) / 0.7),
        lambda z, y: 2 * np.clip((z - y) / 0.7, -1.35, 1.35),
    ),
    "poisson": (
        Loss(losses.POISSON),
        lambda z, y: np.exp(z) - y * z + special.xlogy(y, y) - y, lambda z, y: np.exp(z) - y,
    ),
    "squared insensitive": (
        Loss(losses.SQUARED_INSENSITIVE, 0.2),
        lambda z, y: np.maximum(abs(z - y) - 0.2, 0) ** 2,
        lambda z, y: 2 * np.sign(z - y) * np.maximum(abs(z - y) - 0.2, 0),
    ),
}
FIXED_SCALE = {"huber"}  # its certificate is that of the problem in which the scale is found, too: `_scale`


def targets(name: str, z: Any, rng: np.random.Generator) -> Any:
    if name in ("logistic", "squared hinge"):
        return np.where(z + rng.normal(size=len(z)) > 0, 1.0, -1.0)
    if name == "poisson":
        return rng.poisson(np.exp(np.clip(z, -2, 2))).astype(float)
    return z + rng.standard_t(3, size=len(z))


def reference(name: str, X: Any, y: Any, s: Any, l2: Any, l1: Any, intercept: bool) -> float:
    """The minimum by SciPy, with coefficients split into their positive and negative parts."""
    d, (_, row_loss, slope) = X.shape[1], SMOOTH[name]

    def value_and_gradient(v: Any) -> tuple[float, Any]:
        w, b = v[:d] - v[d : 2 * d], v[-1] * intercept
        z = X @ w + b
        r = s * slope(z, y)
        g = X.T @ r + l2 * w
        value = s @ row_loss(z, y) + 0.5 * l2 @ w**2 + l1 @ (v[:d] + v[d : 2 * d])
        return float(value), np.concatenate([g + l1, l1 - g, [r.sum() * intercept]])

    bounds, start = [(0, None)] * (2 * d) + [(None, None)], np.zeros(2 * d + 1)
    for _ in range(3):  # begun anew, it goes on from where its line search gave up
        result = optimize.minimize(value_and_gradient, start, method="L-BFGS-B", bounds=bounds, jac=True,
                                   options={"ftol": 1e-16, "gtol": 1e-12, "maxiter": 10**4})
        start = result.x
    return float(result.fun)


@pytest.mark.parametrize("penalty", ["l2", "l1", "both"])
@pytest.mark.parametrize("name", sorted(SMOOTH))
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**16), rows=st.integers(4, 30), columns=st.integers(1, 6), intercept=st.booleans(),
       weighted=st.booleans(), deficient=st.booleans(), compressed=st.booleans(),
       tol=st.sampled_from([1e-1, 1e-3, 1e-6]))
def test_the_gap_bounds_the_distance_to_the_optimum(
    name: str, penalty: str, seed: int, rows: int, columns: int, intercept: bool, weighted: bool, deficient: bool,
    compressed: bool, tol: float,
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) * rng.choice([0.3, 1.0, 3.0], columns)
    if deficient:
        X[:, -1] = X[:, 0]
    y = targets(name, X @ rng.normal(size=columns) * 0.5, rng)
    s = rng.uniform(0.1, 1, rows) if weighted else np.ones(rows)
    s /= s.sum()
    l2 = np.full(columns, 0.03) * (penalty != "l1")
    l1 = np.full(columns, 0.05) * (penalty != "l2")
    loss, row_loss, _ = SMOOTH[name]
    matrix, weights = Matrix(sparse.csr_array(X) if compressed else X), s if weighted else np.array([1 / rows])
    problem = Problem(matrix, Rows(y, weights), loss, l2, l1, intercept)
    found = solve(problem, Watch(tol, 3000))
    w, b = problem.to_user(found.u)
    value = float(s @ row_loss(X @ w + b, y) + 0.5 * l2 @ w**2 + l1 @ np.abs(w))
    optimum = reference(name, X, y, s, l2, l1, intercept)
    rounding = 1e-9 * max(1.0, value)  # SciPy's own precision
    assert value == pytest.approx(found.value, rel=1e-10)
    assert value >= optimum - rounding
    assert found.lower <= optimum + rounding
    if name not in FIXED_SCALE:
        assert found.reason.name == "converged"
        assert found.gap <= max(tol * optimum, 1e-12) * (1 + 1e-6)


def test_a_wrong_bound_would_be_seen() -> None:
    """The bound at the optimum touches the minimum: were it any higher, the test above would fail."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    problem = Problem(Matrix(X), Rows(y, np.array([1 / 40])), Loss(losses.LOGISTIC), np.full(3, 0.1), np.zeros(3))
    found = solve(problem, Watch(1e-12, 100))
    assert found.lower == pytest.approx(found.value, rel=1e-11)
