"""Coefficients that must not be negative, and penalties by column: against SciPy's nnls, equivalent problems that are
posed otherwise, and the conditions of optimality, which at a minimum of a convex function hold, and only there."""

from typing import Any

import numpy as np
import pytest
from scipy import optimize, sparse, special
from sklearn.base import clone

from descend.errors import InputError
from descend.linear import (
    Blocks,
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LossRegressor,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from descend.linear._losses import LOGISTIC, SQUARED, Loss
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.newton_decrement import curvature_at, decrement
from descend.linear.solvers.separation import SeparationTest
from descend.linear.solvers.solve import solve
from enforced import without_types

rng = np.random.default_rng(0)
UNITS = 10.0 ** rng.uniform(-2, 2, 8)
X = (rng.normal(size=(90, 8)) @ rng.normal(size=(8, 8)) + 1) * UNITS
Y = X @ (np.array([1.0, -1.0, 0.5, 0.0, -0.3, 2.0, 0.0, 0.1]) / UNITS) + rng.normal(size=90)
S = rng.uniform(0.2, 2, 90)
LABELS = (Y + rng.normal(size=90) > np.median(Y)).astype(int)
COUNTS = rng.poisson(np.exp((Y - Y.mean()) / Y.std() / 2)).astype(float)
AMOUNTS = rng.gamma(2.0, np.exp((Y - Y.mean()) / Y.std() / 2))
WEIGHTS = np.array([0.0, 1.0, 3.0, 0.0, 0.2, 1.0, 1.0, 5.0])
CONTAINERS = [np.asarray, np.asfortranarray, sparse.csr_array]


def least_squares(X: Any, y: Any, s: Any, alpha: Any = 0.0, intercept: bool = True) -> Any:
    """By SciPy, with coefficients that are not negative: penalties are rows, and centring takes the intercept out."""
    centre = (s @ X / s.sum(), s @ y / s.sum()) if intercept else (np.zeros(X.shape[1]), 0.0)
    root = np.sqrt(s)
    rows = np.vstack([root[:, None] * (X - centre[0]), np.diag(np.sqrt(np.broadcast_to(alpha, X.shape[1])))])
    w, _ = optimize.nnls(rows, np.append(root * (y - centre[1]), np.zeros(X.shape[1])), maxiter=1000)
    return w, centre[1] - centre[0] @ w


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("intercept", [True, False])
def test_least_squares_are_those_of_scipy(container: Any, intercept: bool) -> None:
    for model, alpha in ((LinearRegression, 0.0), (Ridge, 2.0)):
        given = {} if model is LinearRegression else {"alpha": alpha}
        found = model(positive=True, tol=1e-12, fit_intercept=intercept, **given).fit(container(X), Y, S)
        assert found.stop_reason_.name == "converged"
        w, b = least_squares(X, Y, S, alpha, intercept)
        np.testing.assert_allclose(found.coef_ * UNITS, w * UNITS, atol=1e-8)
        assert found.intercept_ == pytest.approx(b, abs=1e-8)
        assert 0 < np.count_nonzero(found.coef_) < 8


@pytest.mark.parametrize("columns", [30, 150])
def test_more_columns_than_rows(columns: int) -> None:
    """The minimum's place is not known then, but its value is."""
    wide = np.random.default_rng(1).normal(size=(25, columns))
    y = wide @ np.random.default_rng(2).normal(size=columns) + 1
    found = LinearRegression(positive=True, fit_intercept=False, tol=1e-8).fit(wide, y)
    assert found.stop_reason_.name == "converged"
    _, root = optimize.nnls(wide, y)
    assert found.loss_curve_[-1] == pytest.approx(root**2 / 50, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("tol", [0.3, 1e-2, 1e-4])
def test_no_minimum_is_below_the_bound(tol: float) -> None:
    for alpha in (0.0, 0.1, 30.0):
        model = (Ridge(alpha, positive=True, tol=tol, solver="accelerated", max_iter=3000, fit_intercept=False)
                 if alpha else LinearRegression(positive=True, tol=tol, fit_intercept=False))
        found = model.fit(X, Y, S)
        w, _ = least_squares(X, Y, S, alpha, intercept=False)
        value, least = ((S @ (Y - X @ v) ** 2 + alpha * v @ v) / (2 * S.sum()) for v in (found.coef_, w))
        assert -1e-12 <= value - least <= found.duality_gap_ + 1e-12
        assert found.duality_gap_ <= tol * least


def slopes_of(model: Any, X: Any, y: Any) -> Any:
    """Of the loss of each row by its score."""
    z = X @ np.ravel(model.coef_) + np.ravel(model.intercept_)
    if isinstance(model, LogisticRegression):
        return special.expit(z) - y
    if isinstance(model, PoissonRegressor | GammaRegressor | TweedieRegressor):
        power = getattr(model, "power", 1 if isinstance(model, PoissonRegressor) else 2)
        return np.exp((2 - power) * z) - y * np.exp((1 - power) * z)
    return z - y


MODELS = {
    "Lasso": (Lasso(0.1), Y, 0.0, 0.1),
    "ElasticNet": (ElasticNet(0.2, l1_ratio=0.25), Y, 0.15, 0.05),
    "PoissonRegressor": (PoissonRegressor(alpha=0.1), COUNTS, 0.1, 0.0),
    "GammaRegressor": (GammaRegressor(alpha=0.1), AMOUNTS, 0.1, 0.0),
    "TweedieRegressor": (TweedieRegressor(alpha=0.1), COUNTS, 0.1, 0.0),
    "LogisticRegression": (LogisticRegression(C=10 / S.sum()), LABELS, 0.1, 0.0),
    "LogisticRegression, l1": (LogisticRegression(C=50 / S.sum(), l1_ratio=1.0), LABELS, 0.0, 0.02),
    "LossRegressor": (LossRegressor(alpha=0.2, l1_ratio=0.5), Y, 0.1, 0.1),
}


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("name", MODELS)
def test_the_conditions_of_optimality_hold(name: str, weights: Any, positive: bool) -> None:
    model, y, l2, l1 = MODELS[name]
    units = UNITS if l2 == 0 else UNITS.min()  # penalties are to be felt in all columns
    model.set_params(positive=positive, penalty_weights=weights, tol=1e-13).fit(X / units, y, S)
    assert model.stop_reason_.name == "converged"
    w, counted = np.ravel(model.coef_), np.ones(8) if weights is None else weights
    inside = slopes_of(model, X / units, y)
    pull = (X / units).T @ (S * inside) / S.sum() + l2 * counted * w
    size = np.abs(X / units).T @ (S * np.abs(inside)) / S.sum() + 1e-3
    held = w == 0
    assert abs(S @ inside) <= 1e-6 * (S @ np.abs(inside))
    assert (np.abs(pull + l1 * counted * np.sign(w)) <= 1e-5 * size)[~held].all()
    assert (-pull - l1 * counted <= 1e-5 * size)[held].all()
    if positive:
        assert (w >= 0).all()
    else:
        assert (pull - l1 * counted <= 1e-5 * size)[held].all()


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_weight_is_a_unit_of_the_column(container: Any) -> None:
    """A penalty of v w² is one of w² for the column divided by √v; of v |w|, for the column divided by v."""
    weights = np.where(WEIGHTS == 0, 0.1, WEIGHTS)
    units = UNITS.min()
    for model, y, power in (
        (Ridge(50.0), Y, 0.5), (Lasso(0.3), Y, 1.0), (PoissonRegressor(alpha=0.3), COUNTS, 0.5),
        (LogisticRegression(C=0.05), LABELS, 0.5), (LogisticRegression(C=0.2, l1_ratio=1.0), LABELS, 1.0),
        (LogisticRegression(C=0.05), np.digitize(Y, [0.0, 5.0]), 0.5),
        (LogisticRegression(C=0.05, multi_class="ovr"), np.digitize(Y, [0.0, 5.0]), 0.5),
    ):
        model.set_params(tol=1e-12)
        found = model.set_params(penalty_weights=weights).fit(container(X / units), y).coef_
        factor = weights**power
        other = model.set_params(penalty_weights=None).fit(container(X / units / factor), y).coef_ / factor
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-6 * np.abs(other).max())


def test_unpenalised_columns_are_partialled_out() -> None:
    """Frisch, Waugh and Lovell: the others are fitted to what these leave of their columns, and of the targets."""
    free = np.column_stack([X[:, :2], np.ones(90)])
    rest = lambda v: v - free @ np.linalg.lstsq(free, v, rcond=None)[0]
    for model in (Ridge(100.0), Lasso(0.5), ElasticNet(0.5)):
        found = clone(model).set_params(penalty_weights=[0, 0, 1, 1, 1, 1, 1, 1], tol=1e-12).fit(X, Y)
        assert found.stop_reason_.name == "converged"
        other = model.set_params(fit_intercept=False, tol=1e-12).fit(rest(X[:, 2:]), rest(Y))
        np.testing.assert_allclose(found.coef_[2:] * UNITS[2:], other.coef_ * UNITS[2:], atol=1e-7)


def test_in_single_precision() -> None:
    found = Ridge(2.0, positive=True).fit(X.astype(np.float32), Y, S)
    w, _ = least_squares(X, Y, S, 2.0)
    assert found.coef_.dtype == np.float32
    np.testing.assert_allclose(found.coef_ * UNITS, w * UNITS, atol=1e-2)


def test_a_warm_start_may_have_been_negative() -> None:
    model = Ridge(1.0, warm_start=True, tol=1e-10).fit(X, Y)
    assert (model.coef_ < 0).any()
    cold = Ridge(1.0, positive=True, tol=1e-10).fit(X, Y).coef_
    for solver in ("auto", "accelerated"):
        found = model.set_params(positive=True, solver=solver, max_iter=20_000).fit(X, Y)
        np.testing.assert_allclose(found.coef_ * UNITS, cold * UNITS, atol=1e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_holds_a_loss_that_falls_for_ever() -> None:
    """A plane separates the classes; along the second column alone it does not."""
    rows = np.array([[-2.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [2.0, -1.0]])
    labels = [0, 0, 1, 1]
    for weights, name in (([0.0, 1.0], "unbounded"), ([1.0, 0.0], "converged")):
        assert LogisticRegression(penalty_weights=weights).fit(rows, labels).stop_reason_.name == name
    for sign, name in ((1, "unbounded"), (-1, "converged")):
        found = LogisticRegression(C=np.inf, positive=True).fit(sign * rows, labels)
        assert found.stop_reason_.name == name
    assert found.coef_[0, 0] == 0


def test_a_file_has_a_weight_for_each_hashed_column(tmp_path: Any) -> None:
    lines = [f"{a},{b:.3f},{int(y)}" for a, b, y in zip("xyz" * 30, X[:, 0], LABELS, strict=True)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["letter,number,label", *lines]))
    blocks, weights = Blocks(path, "label", hashed=32), np.arange(32) % 4.0
    found = LogisticRegression(penalty_weights=weights + 0.5, tol=1e-10).fit(blocks)
    [(hashed, labels)] = list(blocks)
    other = LogisticRegression(penalty_weights=weights + 0.5, tol=1e-10).fit(hashed, labels)
    np.testing.assert_allclose(found.coef_, other.coef_, atol=1e-5)
    with pytest.raises(InputError, match=r"not fitted to files: that needs .* an l2 penalty"):
        LogisticRegression(penalty_weights=np.zeros(32)).fit(blocks)
    with pytest.raises(InputError, match="positive is True: the columns of a file are hashed"):
        Ridge(positive=True).fit(blocks)


def test_what_is_not_known_is_refused() -> None:
    three = np.arange(90) % 3
    for make, y, told in (
        (lambda: Ridge(positive=True, solver="newton"), Y, "must not be negative are found by solver='auto'"),
        (lambda: Lasso(positive=1), Y, "positive is 1: it must be True or False"),
        (lambda: LogisticRegression(positive=True), three,
         r"positive is True with 3 classes: .* pass multi_class=\"ovr\""),
        (lambda: Ridge(penalty_weights=[1.0, 2.0]), Y, r"penalty_weights has the shape \(2,\)"),
        (lambda: Ridge(penalty_weights=["a"] * 8), Y, "a number for each of the 8 columns"),
        (lambda: Ridge(penalty_weights=np.where(np.arange(8) == 2, -1.0, 1.0)), Y, "-1.0 for column 2: .* at least 0"),
        (lambda: Ridge(penalty_weights=np.full(8, np.inf)), Y, "inf for column 0: .* finite"),
    ):
        with pytest.raises(InputError, match=told), without_types():
            make().fit(X, y)
    with pytest.raises(InputError, match="positive is given, which partial_fit does not know"):
        Lasso(positive=True).partial_fit(X, Y)
    with without_types(), pytest.raises(InputError, match="penalty_weights is given, which partial_fit"):
        LogisticRegression(penalty_weights=WEIGHTS).partial_fit(X, LABELS, classes=[0, 1])


def test_by_newtons_decrement_no_minimum_is_below_the_bound() -> None:
    """Wherever it is asked for: its subgradient is one of the penalties'."""
    rows, none, one = Rows(Y, np.array([1 / 90])), np.zeros(8), np.ones(8)
    scaled = X / UNITS
    for l1, positive in ((0.2, False), (0.2, True), (0.0, True)):
        problem = ScalarProblem(Matrix(scaled), rows, Loss(SQUARED), Penalty(none, l1 * one, positive))
        least = solve(problem, ConvergenceMonitor(1e-12, 1000)).value
        for number in range(20):
            w = rng.normal(size=8) * (rng.random(8) < number / 20)  # first none, which only penalties hold
            b = float(np.mean(Y - scaled @ w))
            u, z = problem.from_user(np.abs(w) if positive else w, b), problem.score_buffer()
            point = problem.evaluate(u, z, bounded=False)
            bound = point.value - decrement(problem, curvature_at(problem, z), point, z)
            assert bound <= least * (1 + 1e-12)


def test_a_bound_holds_a_loss_that_falls_the_other_way() -> None:
    rows = Rows(np.array([-1, -1, 1, 1], np.int8), np.array([0.25]))
    for positive in (False, True):
        problem = ScalarProblem(Matrix(np.array([[2.0], [1.0], [-1.0], [-2.0]])), rows, Loss(LOGISTIC),
                                Penalty(np.zeros(1), np.zeros(1), positive))
        recession = SeparationTest(problem)
        told = [recession.evidence(np.array([w, 0.0])) for w in (4.0, 3.0, 2.0, 1.0)]
        assert any(told) != positive
