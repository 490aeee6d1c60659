"""Losses with corners: interior point and smoothing against linear programs (HiGHS) and LIBSVM."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog, minimize
from sklearn.svm import SVC, SVR, OneClassSVM

from descend.errors import InputError
from descend.linear._losses import HINGE, INSENSITIVE, PINBALL, SQUARED, Loss
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.interior import interior
from descend.linear.solvers.smoothing import smoothing

LIBSVM = 1e-6  # its kernel's numbers are kept in float32
LOSSES = {"hinge": Loss(HINGE), "pinball": Loss(PINBALL, 0.3), "insensitive": Loss(INSENSITIVE, 0.4)}


def pieces(loss, y):
    """The loss as a maximum of straight lines: pairs of slope and value at 0, by row."""
    zero, one = np.zeros(len(y)), np.ones(len(y))
    if loss.kind == HINGE:
        return [(zero, zero), (-y, one)]
    if loss.kind == PINBALL:
        return [(-loss.p * one, loss.p * y), ((1 - loss.p) * one, (loss.p - 1) * y)]
    return [(zero, zero), (one, -y - loss.p), (-one, y - loss.p)]


def objective(problem, X, w, b):
    losses = np.max([slope * (X @ w + b) + at for slope, at in pieces(problem.loss, problem.rows.y)], axis=0)
    penalty = 0.5 * problem.penalty.l2 @ w**2 + problem.penalty.l1 @ abs(w) + problem.linear_term * b
    return np.sum(problem.rows.s * losses) + penalty


def linear_program(problem, X):
    """The minimum without an l2 penalty; variables w⁺, w⁻, b, and each row's loss."""
    n, d = X.shape
    cost = np.concatenate([problem.penalty.l1, problem.penalty.l1, [0.0], np.broadcast_to(problem.rows.s, n)])
    above, below = [], []
    for slope, at in pieces(problem.loss, problem.rows.y):
        above.append(np.hstack([slope[:, None] * X, -slope[:, None] * X, slope[:, None], -np.eye(n)]))
        below.append(-at)
    free = (None, None) if problem.intercept else (0, 0)
    bounds = [(0, None)] * (2 * d) + [free] + [(None, None)] * n
    result = linprog(cost, np.vstack(above), np.concatenate(below), bounds=bounds, method="highs")
    assert result.status == 0
    return result.fun, result.x[:d] - result.x[d : 2 * d]


def table(shape="plain", seed=0, rows=60, columns=5):
    rng = np.random.default_rng(seed)
    if shape == "wide":
        rows, columns = 12, 20
    X = rng.normal(size=(rows, columns)) + rng.normal(size=columns)
    if shape == "deficient":
        X = np.hstack([X, X[:, :2] - X[:, 1:3], np.ones((rows, 1)), np.zeros((rows, 1))])
    if shape == "scaled":
        X = X * 10.0 ** np.linspace(-6, 6, columns)
    spread = np.where(X.std(0) > 0, X.std(0), 1.0)
    return X, (X - X.mean(0)) / spread @ rng.normal(size=X.shape[1]) + rng.standard_t(2, size=rows)


def problem_of(loss, X, z, l2=0.0, l1=0.0, weighted=False, **options):
    rng, n = np.random.default_rng(1), len(z)
    y = np.where(z > np.quantile(z, 0.4), 1, -1).astype(np.int8) if loss.kind == HINGE else z
    weights = rng.integers(0, 4, size=n) + (np.arange(n) < 2)
    s = weights / weights.sum() if weighted else np.array([1 / n])
    d = X.shape[1]
    return ScalarProblem(Matrix(X), Rows(y, s), loss, Penalty(np.full(d, l2), np.full(d, l1)), **options)


def followed(problem, tol, solver=interior, most=300):
    """The solution, and every bound that was claimed on the way."""
    bounds, monitor = [], ConvergenceMonitor(tol, most)
    monitor.each = lambda *_: bounds.append(monitor.lower)
    return monitor.follow(solver(problem, np.zeros(problem.size))), bounds


def check(problem, X, optimum, tol, solver=interior, most=300, exact=1e-9):
    """`exact`: how near to the minimum `optimum` is, relative to it; it is never below."""
    solution, bounds = followed(problem, tol, solver, most)
    w, b = problem.to_user(solution.u)
    found = objective(problem, X, w, b)
    rounding = 1e-9 * abs(optimum) + 1e-13
    assert solution.reason.name == "converged", solution.reason
    assert found <= solution.value + rounding
    assert solver is smoothing or found >= solution.value - rounding  # a smoothed value is a bound from above
    assert max(bounds) <= optimum + rounding
    assert optimum * (1 - exact) - rounding <= found <= optimum + solution.gap + rounding
    assert solution.gap <= tol * abs(optimum) + 1e-12
    return w, b


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("l1", [0.0, 0.03])
@pytest.mark.parametrize("name", LOSSES)
def test_minimum_is_that_of_the_linear_program(name, l1, intercept, tol):
    X, z = table()
    problem = problem_of(LOSSES[name], X, z, l1=l1, weighted=True, intercept=intercept)
    check(problem, X, linear_program(problem, X)[0], tol)


@pytest.mark.parametrize("shape", ["wide", "deficient", "scaled"])
@pytest.mark.parametrize("l1", [0.0, 0.03])
@pytest.mark.parametrize("name", LOSSES)
def test_hard_tables(name, l1, shape):
    X, z = table(shape)
    problem = problem_of(LOSSES[name], X, z, l1=l1)
    if shape == "scaled":  # for HiGHS in units that it can bear, with the penalty in these
        unit = X.std(0)
        optimum = linear_program(problem, X / unit)[0]
        problem = replace(problem, penalty=Penalty(problem.penalty.l2, l1 * unit))
    else:
        optimum = linear_program(problem, X)[0]
    check(problem, X, optimum, 1e-6)


@pytest.mark.parametrize("quantile", [0.001, 0.02, 0.5, 0.98, 0.999])
def test_quantiles_near_0_and_1(quantile):
    X, z = table(rows=200, columns=3)
    problem = problem_of(Loss(PINBALL, quantile), X, z)
    check(problem, X, linear_program(problem, X)[0], 1e-8)


def test_l1_penalty_gives_the_zeros_of_the_linear_program():
    X, z = table(rows=100, columns=12)
    problem = problem_of(Loss(PINBALL, 0.4), X, z, l1=0.15)
    optimum, expected = linear_program(problem, X)
    w, _ = check(problem, X, optimum, 1e-8)
    assert 0 < np.count_nonzero(expected) < 12
    np.testing.assert_array_equal(w == 0, expected == 0)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_hinge_with_an_l2_penalty_is_libsvm(C, weighted):
    X, z = table(rows=80)
    problem = problem_of(LOSSES["hinge"], X, z, l2=1 / C, weighted=weighted)
    s = np.broadcast_to(problem.rows.s, len(z))
    peer = SVC(kernel="linear", C=C, tol=1e-10).fit(X[s > 0], problem.rows.y[s > 0], s[s > 0])
    optimum = objective(problem, X, peer.coef_[0], peer.intercept_[0])
    check(problem, X, optimum, 1e-8, exact=LIBSVM)


def test_insensitive_with_an_l2_penalty_is_libsvm():
    X, z = table(rows=80)
    problem = problem_of(LOSSES["insensitive"], X, z, l2=0.02)
    peer = SVR(kernel="linear", C=1 / (80 * 0.02), epsilon=0.4, tol=1e-10).fit(X, z)
    check(problem, X, objective(problem, X, peer.coef_[0], peer.intercept_[0]), 1e-8, exact=LIBSVM)


def test_pinball_with_an_l2_penalty_reaches_the_maximum_of_the_dual():
    X, z = table(rows=25)
    problem = problem_of(LOSSES["pinball"], X, z, l2=0.1, intercept=False)

    def dual(r):
        q = X.T @ r / 25
        return q @ q / 0.2 + z @ r / 25, X @ q / (25 * 0.1) + z / 25

    result = minimize(dual, np.zeros(25), jac=True, bounds=[(-0.3, 0.7)] * 25, options={"ftol": 1e-15, "gtol": 1e-12})
    check(problem, X, -result.fun, 1e-7)


@pytest.mark.parametrize("nu", [0.05, 0.3, 0.8])
def test_one_class_is_libsvm(nu):
    X = table(rows=80)[0] + 2
    rows = Rows(np.ones(80, np.int8), np.array([1 / 80]))
    problem = ScalarProblem(Matrix(X), rows, Loss(HINGE), Penalty(np.full(5, nu), np.zeros(5)), linear_term=nu)
    peer = OneClassSVM(kernel="linear", nu=nu, tol=1e-10).fit(X)
    scale = nu * 80  # LIBSVM's slopes sum up to that
    optimum = objective(problem, X, peer.coef_[0] / scale, 1 - peer.offset_[0] / scale)
    solution, bounds = followed(problem, 1e-8)
    assert max(bounds) <= optimum + 1e-12
    assert solution.value == pytest.approx(optimum, rel=LIBSVM)
    assert solution.value - solution.lower <= 1e-8 * abs(solution.value)


def test_rows_of_no_weight_do_not_matter():
    X, z = table()
    full = problem_of(LOSSES["pinball"], X, z, l1=0.02, weighted=True)
    kept = full.rows.s > 0
    part = ScalarProblem(Matrix(X[kept]), Rows(z[kept], full.rows.s[kept]), full.loss, full.penalty)
    values = [followed(problem, 1e-9)[0].value for problem in (full, part)]
    assert values[0] == pytest.approx(values[1], rel=1e-8)


def test_a_table_that_fits_within_the_tube_has_no_loss():
    X = table()[0]
    solution, _ = followed(problem_of(Loss(INSENSITIVE, 1.0), X, np.linspace(-0.5, 0.5, 60), l2=1.0), 1e-8)
    assert solution.reason.name == "converged"
    assert solution.value == 0


def test_sparse_and_columns_in_a_row_are_the_same_problem():
    X, z = table()
    X[np.abs(X) < 0.5] = 0
    values = [
        followed(problem_of(LOSSES["hinge"], kind, z, l2=0.01), 1e-9)[0].value
        for kind in (X, np.asfortranarray(X), sparse.csr_matrix(X))
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_smoothing_has_the_same_minimum(name):
    X, z = table("wide")
    problem = problem_of(LOSSES[name], X, z, l1=0.1)
    check(problem, X, linear_program(problem, X)[0], 1e-2, smoothing, 3000)


def test_interior_is_for_corners():
    X, z = table()
    with pytest.raises(InputError, match="losses with corners"):
        next(interior(problem_of(Loss(SQUARED), X, z), np.zeros(6)))
