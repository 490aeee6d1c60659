"""Gamma and Tweedie regressions: against closed forms, SciPy and scikit-learn; what has no minimum, or is refused."""

from typing import Any

import numpy as np
import pytest
from scipy import optimize
from sklearn import linear_model as peers

from descend.errors import InputError
from descend.linear import GammaRegressor, PoissonRegressor, TweedieRegressor

POWERS = (1.0, 1.05, 1.5, 1.95, 2.0)


def table(seed: int, power: float, scale: float = 1.0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, 3))
    y = scale * rng.gamma(2.0, np.exp(X @ [0.5, -0.3, 0.2]))
    y[::4] *= power == 2
    return X, y, rng.uniform(0.2, 2, 80)


def deviance(z: Any, y: Any, power: float) -> Any:
    """Half of it, but for what does not depend on z; and its slope."""
    if power == 2:
        return z + y * np.exp(-z), 1 - y * np.exp(-z)
    if power == 1:
        return np.exp(z) - y * z, np.exp(z) - y
    up, down = np.exp((2 - power) * z), y * np.exp((1 - power) * z)
    return up / (2 - power) + down / (power - 1), up - down


def by_scipy(X: Any, y: Any, s: Any, power: float, alpha: float) -> Any:
    s = s / s.sum()

    def objective(v: Any) -> Any:
        value, slope = deviance(X @ v[:-1] + v[-1], y, power)
        return s @ value + 0.5 * alpha * v[:-1] @ v[:-1], np.append(X.T @ (s * slope) + alpha * v[:-1], s @ slope)

    start = np.append(np.zeros(X.shape[1]), np.log(y.mean()))
    found = optimize.minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-13}).x
    return optimize.root(lambda v: objective(v)[1], found, tol=1e-14).x


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("power", POWERS)
def test_minima_are_those_of_scipy(power: float, alpha: float) -> None:
    for seed, scale in ((0, 1.0), (1, 1e4), (2, 1e-4)):
        X, y, s = table(seed, power, scale)
        alpha_here = alpha * y.mean() ** (2 - power)
        model = TweedieRegressor(power=power, alpha=alpha_here, tol=1e-12 if alpha else 1e-14).fit(X, y, s)
        assert model.stop_reason_.name == "converged"
        best = by_scipy(X, y, s, power, alpha_here)
        np.testing.assert_allclose(np.append(model.coef_, model.intercept_), best, atol=1e-6 if alpha else 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_objectives_are_no_further_from_the_minimum_than_their_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    power, alpha = float(rng.choice(POWERS)), float(10 ** rng.uniform(-4, 1))
    X, y, s = table(seed, power, 10 ** rng.uniform(-3, 3))
    least = by_scipy(X, y, s, power, alpha)

    def objective(v: Any) -> Any:
        return s @ deviance(X @ v[:-1] + v[-1], y, power)[0] / s.sum() + 0.5 * alpha * v[:-1] @ v[:-1]

    rounding = 1e-12 * (1 + abs(objective(least)))
    for solver in ("newton", "lbfgs", "accelerated"):
        model = TweedieRegressor(power=power, alpha=alpha, tol=1e-6, max_iter=5000, solver=solver).fit(X, y, s)
        away = objective(np.append(model.coef_, model.intercept_)) - objective(least)
        assert -1e-12 * abs(objective(least)) <= away <= model.duality_gap_ + rounding


@pytest.mark.parametrize(("mine", "theirs", "power"), [
    (GammaRegressor(alpha=0.2, tol=1e-13), peers.GammaRegressor(alpha=0.2), 2.0),
    (TweedieRegressor(power=1.7, alpha=0.2, tol=1e-13), peers.TweedieRegressor(power=1.7, alpha=0.2), 1.7),
])
def test_predictions_and_scores_are_those_of_scikit_learn(mine: Any, theirs: Any, power: float) -> None:
    X, y, s = table(3, power)
    theirs.set_params(solver="newton-cholesky", tol=1e-12)
    mine.fit(X, y, s), theirs.fit(X, y, s)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-6)
    assert mine.score(X, y, s) == pytest.approx(theirs.score(X, y, s), rel=1e-6)


@pytest.mark.parametrize("power", POWERS)
def test_groups_are_expected_to_be_their_means(power: float) -> None:
    """Without a penalty, what is expected of a group is its weighted mean, whatever the power."""
    y, s = np.array([1.0, 5.0, 2.0, 40.0, 1e-3]), np.array([1.0, 3.0, 1.0, 2.0, 1.0])
    groups = np.array([0, 0, 1, 1, 1])
    model = TweedieRegressor(power=power, alpha=0.0, tol=1e-13).fit(np.eye(2)[groups], y, s)
    means = [np.average(y[groups == g], weights=s[groups == g]) for g in (0, 1)]
    np.testing.assert_allclose(model.predict(np.eye(2)), means, rtol=1e-7)


def test_the_powers_at_the_ends_are_poisson_and_gamma() -> None:
    X, y, s = table(4, 2.0)
    for power, other in ((1.0, PoissonRegressor(alpha=0.1)), (2.0, GammaRegressor(alpha=0.1))):
        model = TweedieRegressor(power=power, alpha=0.1).fit(X, y, s)
        np.testing.assert_array_equal(model.coef_, other.fit(X, y, s).coef_)
        near = abs(power - 1e-9) if power == 2 else power + 1e-9
        close = TweedieRegressor(power=near, alpha=0.1).fit(X, y, s)
        np.testing.assert_allclose(close.coef_, model.coef_, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_targets_of_0_on_one_side_have_no_estimate() -> None:
    X = np.array([[0.0], [0.0], [0.0], [1.0], [1.0]])
    y = [1.0, 2.0, 4.0, 0.0, 0.0]
    model = TweedieRegressor(power=1.5, alpha=0.0).fit(X, y)
    assert model.stop_reason_.name == "unbounded"
    assert "2 of the rows whose target is 0" in model.stop_reason_.evidence
    assert TweedieRegressor(power=1.5, alpha=1e-3).fit(X, y).stop_reason_.name == "converged"


def test_what_means_nothing_is_refused() -> None:
    X = np.ones((3, 1))
    for model, y, told in (
        (GammaRegressor(), [1.0, 0.0, 2.0], "y is 0 at row 1: a gamma target must be above 0"),
        (TweedieRegressor(power=2), [1.0, 0.0, 2.0], "a Tweedie target must be above 0"),
        (TweedieRegressor(), [1.0, 0.0, -2.0], "y is -2 at row 2: a Tweedie target must not be negative"),
        (TweedieRegressor(), [0.0, 0.0, 0.0], "y is 0 in all rows"),
        (TweedieRegressor(power=3), [1.0, 1.0, 2.0], "power is 3: it must be a number of at least 1 and at most 2"),
        (TweedieRegressor(power=0), [1.0, 1.0, 2.0], "power is 0"),
        (TweedieRegressor(link="identity"), [1.0, 1.0, 2.0], "link is 'identity'"),
    ):
        with pytest.raises(InputError, match=told):
            model.fit(X, y)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("y", [1e-6, 1e6])
def test_a_constant_is_expected_of_what_is_constant(y: float, power: float) -> None:
    """Their loss is 0, and of that nothing is relative."""
    X = np.random.default_rng(0).normal(size=(50, 2))
    for alpha in (0.0, 1.0):
        model = TweedieRegressor(power=power, alpha=alpha).fit(X, np.full(50, y))
        assert model.stop_reason_.name == "converged"
        np.testing.assert_allclose(model.predict(X), y, rtol=1e-6)
