"""Dual coordinate ascent against SciPy's BFGS, LIBSVM, liblinear, and minima that interior point certifies."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.svm import SVC, SVR, LinearSVC

from descend.errors import InputError
from descend.linear._losses import (
    HINGE,
    INSENSITIVE,
    LOGISTIC,
    PINBALL,
    POISSON,
    SQUARED,
    SQUARED_HINGE,
    SQUARED_INSENSITIVE,
    Loss,
)
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.interior import interior
from descend.linear.solvers.sdca import sdca

SMOOTH = {
    "squared": Loss(SQUARED),
    "logistic": Loss(LOGISTIC),
    "squared hinge": Loss(SQUARED_HINGE),
    "squared insensitive": Loss(SQUARED_INSENSITIVE, 0.3),
}
CORNERED = {"hinge": Loss(HINGE), "insensitive": Loss(INSENSITIVE, 0.3), "pinball": Loss(PINBALL, 0.3)}
EVERY = SMOOTH | CORNERED


def table(shape="plain"):
    rng = np.random.default_rng(0)
    rows, columns = (12, 30) if shape == "wide" else (70, 6)
    X = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.6)
    if shape == "deficient":
        X = np.hstack([X, X[:, :2] - X[:, 1:3], np.zeros((rows, 1))])
    if shape == "scaled":
        X = X * 10.0 ** np.linspace(-3, 0.5, columns)
    return X, X @ rng.normal(size=X.shape[1]) + 0.5 + rng.normal(size=rows)


def problem_of(loss, X, z, l2=0.1, weighted=False, **options):
    n, d = X.shape
    weights = np.random.default_rng(1).integers(0, 4, size=n) + (np.arange(n) < 2)
    y = np.where(z > np.quantile(z, 0.3), 1, -1).astype(np.int8) if loss.kind.classes else z
    s = weights / weights.sum() if weighted else np.array([1 / n])
    return ScalarProblem(Matrix(X), Rows(y, s), loss, Penalty(np.full(d, l2), np.zeros(d)), **options)


def objective(problem, X, w, b):
    """Value and gradient, row by row."""
    z, (y, s) = X @ w + b, problem.rows
    s = np.broadcast_to(s, len(z))
    losses = [problem.loss.value(*pair) for pair in zip(z, y, strict=True)]
    slopes = s * [problem.loss.slope(*pair) for pair in zip(z, y, strict=True)]
    by_b = (slopes.sum() + problem.linear_term) * problem.intercept
    total = s @ losses + 0.5 * problem.penalty.l2 @ w**2 + problem.linear_term * b
    return total, np.append(X.T @ slopes + problem.penalty.l2 * w, by_b)


def minimum(problem, X):
    """Of a smooth problem, by SciPy; of one with corners, between certified bounds 1e-10 apart."""
    size = problem.size
    if problem.loss.kind in (HINGE, INSENSITIVE, PINBALL):
        solution = ConvergenceMonitor(1e-10, 300).follow(interior(problem, np.zeros(size)))
        assert solution.reason.name == "converged"
        return solution.lower
    result = minimize(lambda u: objective(problem, X, u[:-1], u[-1]), np.zeros(size), jac=True, method="BFGS",
                      options={"gtol": 1e-9, "maxiter": 5000})
    assert np.abs(result.jac).max() < 1e-6  # strongly convex with 0.1, so that the value is right to 1e-11
    return result.fun


def check(problem, X, optimum, tol=1e-6, exact=1e-9):
    """`exact`: how near to the minimum `optimum` is, relative to it."""
    bounds, monitor = [], ConvergenceMonitor(tol, 3000)
    monitor.each = lambda *_: bounds.append(monitor.lower)
    solution = monitor.follow(sdca(problem, np.zeros(problem.size)))
    found = objective(problem, X, *problem.to_user(solution.u))[0]
    error = exact * abs(optimum) + 1e-12
    assert solution.reason.name == "converged", solution.reason
    assert found == pytest.approx(solution.value, rel=1e-10)
    assert max(bounds) <= optimum + error
    assert optimum - error <= found <= optimum + solution.gap + error
    return solution


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("name", EVERY)
def test_minimum_of_every_loss(name, weighted, intercept):
    X, z = table()
    problem = problem_of(EVERY[name], X, z, weighted=weighted, intercept=intercept)
    check(problem, X, minimum(problem, X))


@pytest.mark.parametrize("shape", ["wide", "deficient", "scaled"])
@pytest.mark.parametrize("name", EVERY)
def test_hard_tables(name, shape):
    X, z = table(shape)
    problem = problem_of(EVERY[name], X, z)
    check(problem, X, minimum(problem, X), 1e-5)


@pytest.mark.parametrize("C", [0.1, 1.0])
def test_hinge_is_liblinear_without_an_intercept(C):
    X, z = table()
    problem = problem_of(EVERY["hinge"], X, z, l2=1 / (70 * C), intercept=False)
    peer = LinearSVC(C=C, loss="hinge", fit_intercept=False, tol=1e-9, max_iter=10**6).fit(X, problem.rows.y)
    check(problem, X, objective(problem, X, peer.coef_[0], 0.0)[0])


def test_hinge_is_libsvm_with_an_intercept():
    X, z = table()
    problem = problem_of(EVERY["hinge"], X, z)
    peer = SVC(kernel="linear", C=1 / (70 * 0.1), tol=1e-10).fit(X, problem.rows.y)
    check(problem, X, objective(problem, X, peer.coef_[0], peer.intercept_[0])[0], exact=1e-6)  # float32 in LIBSVM


def test_insensitive_is_libsvm_with_an_intercept():
    X, z = table()
    problem = problem_of(EVERY["insensitive"], X, z)
    peer = SVR(kernel="linear", C=1 / (70 * 0.1), epsilon=0.3, tol=1e-10).fit(X, z)
    check(problem, X, objective(problem, X, peer.coef_[0], peer.intercept_[0])[0], exact=1e-6)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", ["logistic", "hinge", "squared insensitive"])
def test_another_penalty_for_each_column(name, intercept):
    X, z = table()
    problem = replace(
        problem_of(EVERY[name], X, z, intercept=intercept), penalty=Penalty.ridge(np.geomspace(0.05, 1.0, 6))
    )
    check(problem, X, minimum(problem, X))


def test_one_class():
    X = table()[0] + 1
    rows = Rows(np.ones(70, np.int8), np.array([1 / 70]))
    problem = ScalarProblem(Matrix(X), rows, EVERY["hinge"], Penalty(np.full(6, 0.3), np.zeros(6)), linear_term=0.3)
    optimum = ConvergenceMonitor(1e-10, 300).follow(interior(problem, np.zeros(7)))
    found = ConvergenceMonitor(0.0, 300).follow(sdca(problem, np.zeros(7)))
    assert found.lower <= optimum.value + 1e-12
    assert found.value == pytest.approx(optimum.value, rel=1e-7)
    assert found.value - found.lower < 1e-6 * abs(optimum.value)


@pytest.mark.parametrize("kind", [np.asfortranarray, sparse.csr_matrix, "int64", np.float32])
@pytest.mark.parametrize("name", ["hinge", "logistic"])
def test_every_kind_of_matrix_is_the_same_problem(name, kind):
    X, z = table()
    other = sparse.csr_matrix(X) if kind == "int64" else kind(X)
    if kind == "int64":
        other.indices, other.indptr = other.indices.astype(np.int64), other.indptr.astype(np.int64)
    first, second = (
        ConvergenceMonitor(1e-7, 1000).follow(sdca(problem_of(EVERY[name], matrix, z), np.zeros(7)))
        for matrix in (X, other)
    )
    assert second.reason.name == "converged"
    assert first.value == pytest.approx(second.value, rel=3e-7)


def test_a_start_is_taken_up():
    X, z = table()
    problem = problem_of(EVERY["logistic"], X, z)
    cold = ConvergenceMonitor(1e-6, 1000).follow(sdca(problem, np.zeros(7)))
    warm = ConvergenceMonitor(1e-6, 1000).follow(sdca(problem, cold.u))
    assert warm.curve[0] < cold.curve[0]
    assert len(warm.curve) < len(cold.curve)


def test_the_same_every_time():
    X, z = table()
    problem = problem_of(EVERY["hinge"], X, z)
    first, second = (ConvergenceMonitor(1e-6, 1000).follow(sdca(problem, np.zeros(7))) for _ in range(2))
    np.testing.assert_array_equal(first.u, second.u)


@pytest.mark.parametrize("a", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("name", EVERY)
def test_the_best_slope_of_a_row_is_the_slope_where_it_leads(name, a):
    kind, p, _ = EVERY[name]
    for c in np.linspace(-4, 4, 41) + 0.013:
        for y in (-1, 1):
            r = kind.functions.best(c, float(y), float(p), a, 0.3)
            after, near = c - a * r, 1e-7
            low, high = (Loss(kind, p).slope(after + move, y) for move in (-near, near))
            assert low - 1e-6 <= r <= high + 1e-6  # within the subdifferential


@pytest.mark.parametrize("a", [1e-4, 1.0, 1e3, 1e7])
def test_logistic_slopes_solve_their_equation(a):
    for c in np.concatenate([-np.geomspace(1e-3, 1e3, 13), np.geomspace(1e-3, 20, 13)]):
        for z in (-50.0, 0.0, 50.0):
            share = -LOGISTIC.functions.best(c, 1.0, 0.0, a, z)
            assert 0 <= share <= 1
            if share * (1 - share) > 1e-12:
                t = np.log(share) - np.log1p(-share)
                assert abs(t + c + a * share) <= 1e-4 * (1 + a * share * (1 - share))


def test_what_it_cannot_solve_is_an_error():
    X, z = table()
    for wrong in (
        problem_of(Loss(POISSON), X, np.abs(z)),
        problem_of(Loss(SQUARED), X, z, l2=0.0),
        replace(problem_of(Loss(SQUARED), X, z), penalty=Penalty(np.full(6, 0.1), np.ones(6))),
    ):
        with pytest.raises(InputError, match="solver='dual'"):
            next(sdca(wrong, np.zeros(7)))
