"""The multinomial dual's ascent against SciPy's minima, scikit-learn, and the definition of a row's best point."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import brentq, minimize
from scipy.special import entr, logsumexp
from sklearn.linear_model import LogisticRegression

from descend.errors import InputError
from descend.linear._kernels import multinomial_sdca as kernels
from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.multinomial import MultinomialProblem
from descend.linear.problems.penalty import Penalty
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.multinomial_sdca import SimplexState, multinomial_sdca
from descend.linear.solvers.solve import choice, solve

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "CSR": sparse.csr_array,
    "float32": lambda X: X.astype(np.float32),
    "CSR float32": lambda X: sparse.csr_array(X.astype(np.float32)),
}


def table(n=60, d=9, K=4, seed=0):
    """Columns that float32 holds exactly, of unlike units, and labels that they tell in part."""
    rng = np.random.default_rng(seed)
    X = (np.round(8 * rng.normal(size=(n, d))) / 8 + 1) * 2.0 ** rng.integers(-2, 3, d)
    X[rng.random((n, d)) < 0.4] = 0
    y = np.argmax(X @ rng.normal(size=(d, K)) / 2 + rng.gumbel(size=(n, K)), axis=1)
    return X, y


def problem_of(X, y, l2=0.05, intercept=True, s=None, K=4):
    s = np.array([1 / len(y)]) if s is None else s
    return MultinomialProblem(
        Matrix(X), Rows(y, s), K, Penalty.ridge(np.broadcast_to(l2, X.shape[1:]).copy()), intercept
    )


def minimum(X, y, l2, intercept, s=None, K=4):
    """Of the definition, by SciPy."""
    n, d = X.shape
    s = np.full(n, 1 / n) if s is None else s

    def f(v):
        W, b = v.reshape(K, -1)[:, :d], v.reshape(K, -1)[:, d] * intercept
        z = X @ W.T + b
        r = np.exp(z - logsumexp(z, axis=1, keepdims=True))
        r[np.arange(n), y] -= 1
        r *= s[:, None]
        value = s @ (logsumexp(z, axis=1) - z[np.arange(n), y]) + 0.5 * np.sum(l2 * W**2)
        return value, np.column_stack([r.T @ X + l2 * W, r.sum(axis=0) * intercept]).ravel()

    options = {"maxiter": 10**5, "maxfun": 10**5, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 30}
    return minimize(f, np.zeros(K * (d + 1)), jac=True, method="L-BFGS-B", options=options).fun


def ascended(problem, tol, most=2000, start=None):
    return ConvergenceMonitor(tol, most).follow(
        multinomial_sdca(problem, np.zeros(problem.size) if start is None else start)
    )


@pytest.mark.parametrize("a", [1e-6, 0.3, 1.0, 30.0, 1e6])
def test_a_rows_point_is_the_best_for_the_others(a):
    rng = np.random.default_rng(int(a))

    def logarithm(x):
        """t + a exp(t) = x."""
        return brentq(lambda t: t + a * np.exp(t) - x, -abs(x) - 50 - np.log1p(a), min(abs(x) + 1, 40), xtol=1e-13)

    for _ in range(20):
        z, p = 5 * rng.normal(size=6), rng.dirichlet(np.full(6, 0.3))
        c = z + a * p
        points = lambda level, c=c: np.exp([logarithm(x - level) for x in c])
        excess = lambda level, points=points: points(level).sum() - 1
        level = brentq(excess, c.min() - a - 3, c.max() + 3, xtol=1e-11 * (1 + a))
        found = np.empty(6)
        kernels.renewed(z, a, p, np.empty(6), found)
        assert found.sum() == pytest.approx(1, rel=1e-14)
        # steps end where their squares, and with them the errors that are left, are below 1e-6
        np.testing.assert_allclose(found, points(level), atol=2e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("intercept", [True, False])
def test_it_comes_to_scipys_minimum_and_its_bounds_hold(layout, intercept):
    X, y = table()
    problem = problem_of(LAYOUTS[layout](X), y, 0.05, intercept)
    least = minimum(X, y, 0.05, intercept)
    points = [point for point, _ in zip(multinomial_sdca(problem, np.zeros(problem.size)), range(60), strict=False)]
    assert max(point.lower for point in points) <= least * (1 + 1e-12)
    assert min(point.value for point in points) >= least * (1 - 1e-12)
    solution = ascended(problem, 1e-9)
    assert solution.reason.name == "converged"
    assert solution.value <= least * (1 + 1e-9)
    z = problem.score_buffer()
    assert problem.evaluate(solution.u, z).value == pytest.approx(solution.value, rel=1e-12)


def test_weights_and_penalties_by_column_and_rows_without_weight():
    X, y = table()
    rng = np.random.default_rng(3)
    s = rng.random(len(y)) * (rng.random(len(y)) < 0.8)
    s /= s.sum()
    l2 = np.linspace(0.02, 0.3, X.shape[1])
    for Z in (X, sparse.csr_array(X)):
        solution = ascended(problem_of(Z, y, l2, s=s), 1e-9)
        assert solution.value == pytest.approx(minimum(X, y, l2, True, s), rel=1e-9)
        assert solution.reason.name == "converged"


def test_classes_that_no_row_has_and_a_small_one():
    X, y = table(K=3)
    y[y == 1] = 0
    y[0] = 1
    problem = problem_of(X, y)  # of four classes, the last is empty
    least = minimum(X, y, 0.05, True)
    solution = ascended(problem, 1e-4)
    assert solution.reason.name == "converged"
    assert solution.lower <= least * (1 + 1e-9)
    assert solution.value <= least * (1 + 1e-4)


def test_next_to_no_penalty_it_is_slow_but_its_bounds_hold():
    X, y = table()
    problem, least = problem_of(X, y, 1e-6), minimum(X, y, 1e-6, True)
    for point, _ in zip(multinomial_sdca(problem, np.zeros(problem.size)), range(30), strict=False):
        assert point.lower <= least * (1 + 1e-9)
        assert point.value >= least * (1 - 1e-9)


def test_from_the_minimum_it_is_there_at_once():
    X, y = table()
    problem = problem_of(sparse.csr_array(X), y)
    u = ascended(problem, 1e-12).u
    assert len(ascended(problem, 1e-8, start=u).curve) == 1


def test_it_ends_where_rounding_does():
    X, y = table()
    problem = problem_of(X, y)
    points = list(multinomial_sdca(problem, np.zeros(problem.size)))
    assert len(points) < 500
    assert points[-1].value - points[-1].lower <= 3e-14  # the bound leaves room for what rounding adds to sums


def test_balanced_points_have_the_rows_shares_and_lose_little():
    X, y = table()
    problem = problem_of(X, y)
    state = SimplexState(problem, problem.score_buffer() + 0.25, np.zeros((9, 4)), np.zeros(4))
    state.P = np.random.default_rng(0).dirichlet(np.ones(4), len(y))
    before = state.P.copy()
    shift, change = problem.balance(state.P)
    np.testing.assert_allclose(state.P.mean(axis=0), np.bincount(y, minlength=4) / len(y), rtol=1e-13)
    tilted = before * np.exp(shift)
    np.testing.assert_allclose(state.P, tilted / tilted.sum(axis=1, keepdims=True), rtol=1e-12)
    scores = np.log(before)
    loss = lambda z: np.mean(logsumexp(z, axis=1) - z[np.arange(len(y)), y])
    assert change == pytest.approx(loss(scores + shift) - loss(scores), rel=1e-10)
    point = state.point()  # the bound is the dual's value at these points
    r = (state.P - np.eye(4)[y]) / len(y)
    dual = entr(state.P).sum() / len(y) - np.sum((X.T @ r) ** 2) / (2 * 0.05)
    # of the centred columns it is the same, as Σ r = 0
    assert point.lower == pytest.approx(max(dual, 0), rel=1e-9, abs=1e-9)


def test_it_is_chosen_for_sparse_rows_fewer_than_coefficients_and_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    X = sparse.random_array((300, 900), density=0.03, rng=rng, format="csr")
    y = np.argmax(X[:, :5].toarray() + 0.3 * rng.gumbel(size=(300, 5)), axis=1)
    problem = problem_of(X, y, 1 / 300, K=5)
    assert problem.size > DENSE_HESSIAN
    assert choice(problem)[0] == "dual"
    solution = solve(problem, ConvergenceMonitor(1e-11, 500))
    assert solution.how.startswith("dual: ")
    W, _ = problem.to_user(solution.u)
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=2000).fit(X, y)
    np.testing.assert_allclose(W, peer.coef_, atol=1e-5 * np.abs(peer.coef_).max())
    dense = problem_of(X.toarray(), y, 1 / 300, K=5)
    assert choice(dense)[0] == "lbfgs"
    unpenalised = problem_of(X, y, 0.0, K=5)
    assert choice(unpenalised)[0] == "lbfgs"
    with pytest.raises(InputError, match="needs an l2 penalty on all columns"):
        solve(unpenalised, ConvergenceMonitor(1e-4, 10), "dual")


def test_an_epoch_costs_what_a_gradient_does_and_a_few_are_enough():
    rng = np.random.default_rng(1)
    X = sparse.random_array((400, 3000), density=0.01, rng=rng, format="csr")
    X = sparse.csr_array(X / np.sqrt((X.multiply(X)).sum(axis=1))[:, None])
    y = rng.integers(0, 6, 400)
    solution = ascended(problem_of(X, y, 1 / 400, K=6), 1e-4)
    assert solution.reason.name == "converged"
    assert len(solution.curve) <= 5  # a certificate after every few epochs, each of which gains a digit
