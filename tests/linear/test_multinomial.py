import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import entr, logsumexp
from sklearn.linear_model import LogisticRegression

from descend.linear._losses import LOGISTIC, Loss
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.multinomial import PREDICTED_DUAL_SIZE, MultinomialProblem
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.newton import newton, sampled_newton

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "CSR": sparse.csr_array,
    "float32": lambda X: X.astype(np.float32),
    "float32 F": lambda X: np.asfortranarray(X.astype(np.float32)),
}


def table(n=120, d=4, K=3, seed=0):
    """Features of unlike units that float32 holds exactly, classes that they tell in part, and weights."""
    rng = np.random.default_rng(seed)
    X = (np.round(8 * rng.normal(size=(n, d))) / 8 + 2) * 4.0 ** np.arange(d)
    X[rng.random((n, d)) < 0.3] = 0
    y = np.argmax(X / 4.0 ** np.arange(d) @ rng.normal(size=(d, K)) + rng.gumbel(size=(n, K)), axis=1)
    s = rng.random(n) + 0.1
    return X, y, s / s.sum()


def objective(X, y, s, l2, W, b):
    """The definition, in the user's units."""
    z = X @ W.T + b
    return float(s @ (logsumexp(z, axis=1) - z[np.arange(len(y)), y]) + 0.5 * np.sum(l2 * W**2))


def reference(X, y, s, l2, K, intercept):
    """A value that SciPy comes to, at most a rounding error above the minimum, in coordinates of unit spread."""
    unit = 1 / np.maximum(np.sqrt(s @ X**2), 1e-300)

    def f(v):
        W, b = v.reshape(K, -1)[:, :-1] * unit, v.reshape(K, -1)[:, -1] * intercept
        z = X @ W.T + b
        r = np.exp(z - logsumexp(z, axis=1, keepdims=True))
        r[np.arange(len(y)), y] -= 1
        r *= s[:, None]
        by = np.column_stack([(r.T @ X + l2 * W) * unit, r.sum(axis=0) * intercept])
        return objective(X, y, s, l2, W, b), by.ravel()

    options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 50}
    return minimize(f, np.zeros(K * (X.shape[1] + 1)), jac=True, method="L-BFGS-B", options=options).fun


def problem_of(X, y, s, K, l2=0.01, intercept=True):
    return MultinomialProblem(
        Matrix(X), Rows(y, s), K, Penalty.ridge(np.broadcast_to(l2, X.shape[1:]).copy()), intercept
    )


def solved(problem, tol=1e-10):
    return ConvergenceMonitor(tol, 100).follow(newton(problem, np.zeros(problem.size)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("intercept", [True, False])
def test_value_and_gradient_are_those_of_the_definition_in_every_layout(layout, intercept):
    X, y, s = table()
    l2 = np.array([0.1, 0.2, 0.0, 0.3])
    problem = problem_of(LAYOUTS[layout](X), y, s, 3, l2, intercept)
    u = 0.3 * np.random.default_rng(1).normal(size=problem.size)
    if not intercept:
        u[-3:] = 0
    value = lambda u: objective(X, y, s, l2, *problem.to_user(u))
    point = problem.evaluate(u, problem.score_buffer())
    assert point.value == pytest.approx(value(u), rel=1e-13)
    steps = 1e-5 * np.eye(problem.size)[: problem.size if intercept else -3]
    slopes = [(value(u + e) - value(u - e)) / 2e-5 for e in steps]
    np.testing.assert_allclose(point.gradient[: len(steps)], slopes, atol=1e-8)  # of central differences
    if not intercept:
        assert not point.gradient[-3:].any()


def test_coordinates_of_solvers_go_there_and_back():
    X, y, s = table()
    problem = problem_of(X, y, s, 3)
    u = np.random.default_rng(1).normal(size=problem.size)
    W, b = problem.to_user(u)
    assert W.shape == (3, 4)
    assert b.shape == (3,)
    np.testing.assert_allclose(problem.from_user(W, b), u, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("intercept", [True, False])
def test_the_hessian_is_the_change_of_the_gradient(layout, intercept):
    X, y, s = table()
    problem = problem_of(LAYOUTS[layout](X), y, s, 3, 0.05, intercept)
    u = 0.3 * np.random.default_rng(1).normal(size=problem.size)
    z = problem.score_buffer()
    problem.evaluate(u, z)
    H = problem.hessian(z)
    H = np.tril(H) + np.tril(H, -1).T
    gradient = lambda u: problem.evaluate(u, problem.score_buffer()).gradient
    changes = np.array([(gradient(u + e) - gradient(u - e)) / 2e-5 for e in 1e-5 * np.eye(problem.size)])
    if intercept:  # along an equal shift of all classes there is no curvature, and the Hessian is given one
        shift = np.append(np.zeros(problem.size - 3), np.ones(3))
        np.testing.assert_allclose(changes @ shift, 0, atol=1e-8)
        assert (H @ shift)[-3:].min() > 1e-3
        H = H - np.outer(H @ shift, shift) / 3
    else:
        H, changes = H[:-3, :-3], changes[:-3, :-3]
    np.testing.assert_allclose(H, changes, atol=1e-8)


@pytest.mark.parametrize("d", [3, 6])
def test_without_a_penalty_newton_finds_the_minimum_though_the_hessian_is_singular(d):
    X, y, s = table(n=200, d=3)
    X = np.hstack([X, X])[:, :d]  # with 6, every column is there twice
    problem = problem_of(X, y, s, 3, 0.0)
    z, u = problem.score_buffer(), np.zeros(problem.size)
    *_, point = (p for p, _ in zip(newton(problem, u), range(20), strict=False))
    assert np.abs(problem.evaluate(point.u, z).gradient).max() < 1e-10
    assert np.abs(problem.to_user(point.u)[0].sum(axis=0)).max() < 1e-9  # nothing moves where nothing changes


@pytest.mark.parametrize("layout", ["C", "CSR"])
@pytest.mark.parametrize("intercept", [True, False])
def test_it_agrees_with_scikit_learn(layout, intercept):
    X, y, s = table(n=200, K=4, seed=3)
    X = X / 4.0 ** np.arange(4)  # its solvers do not scale
    problem = problem_of(LAYOUTS[layout](X), y, s, 4, 0.01, intercept)
    W, b = problem.to_user(solved(problem, 1e-12).u)
    peer = LogisticRegression(C=1 / 0.01, fit_intercept=intercept, solver="newton-cholesky", tol=1e-12)
    peer.fit(X, y, sample_weight=s)
    np.testing.assert_allclose(W, peer.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(b - b.mean(), peer.intercept_ - peer.intercept_.mean(), rtol=1e-6, atol=1e-8)


def test_two_classes_are_the_binary_problem_with_half_the_penalty():
    X, y, s = table(K=2)
    l2 = np.full(4, 0.02)
    two = solved(problem_of(X, y, s, 2, l2), 1e-12)
    rows = Rows((2 * y - 1).astype(np.int8), s)
    binary = ScalarProblem(Matrix(X), rows, Loss(LOGISTIC), Penalty(l2 / 2, np.zeros(4)))
    one = ConvergenceMonitor(1e-12, 50).follow(newton(binary, np.zeros(5)))
    assert two.value == pytest.approx(one.value, rel=1e-12)
    W, b = problem_of(X, y, s, 2, l2).to_user(two.u)
    w, c = binary.to_user(one.u)
    np.testing.assert_allclose(W[1] - W[0], w, rtol=1e-6)
    assert b[1] - b[0] == pytest.approx(c, rel=1e-6)


def test_without_features_the_minimum_is_the_entropy_of_the_classes():
    y = np.array([0, 0, 0, 1, 1, 2])
    problem = problem_of(np.zeros((6, 2)), y, np.array([1 / 6]), 3)
    solution = solved(problem, 1e-12)
    assert solution.value == pytest.approx(entr(np.bincount(y) / 6).sum(), rel=1e-12)
    assert solution.reason.name == "converged"


def test_a_class_that_no_row_has_does_not_spoil_the_bound():
    X, y, s = table()
    least = reference(X, y, s, 0.01, 3, True)  # a class more, with no share, can only bring the value up to it
    problem = problem_of(X, y, s, 4)
    z = problem.score_buffer()
    for _, point in zip(range(12), newton(problem, np.zeros(problem.size)), strict=False):
        assert point.lower <= least + 1e-12
    assert least - 1e-6 < problem.certified(problem.evaluate(point.u, z), z).lower <= least + 1e-12


CASES = {
    "plain": {},
    "no intercept": {"intercept": False},
    "sparse": {"layout": "CSR"},
    "little penalty": {"l2": 1e-7},
    "fewer rows than columns": {"n": 12, "d": 20},
    "dependent columns": {"twice": True},
    "many classes": {"n": 300, "K": 9},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_bounds_hold_wherever_they_are_asked_and_are_tight_at_the_end(case, seed):
    how = {"n": 120, "d": 4, "K": 3, "layout": "C", "l2": 1e-2, "intercept": True, "twice": False} | CASES[case]
    X, y, s = table(how["n"], min(how["d"], 6), how["K"], seed)
    if how["d"] > 6:
        X = np.random.default_rng(seed).normal(size=(how["n"], how["d"]))
    if how["twice"]:
        X = np.hstack([X, X[:, :2], np.ones((how["n"], 1)), np.zeros((how["n"], 1))])
    least = reference(X, y, s, how["l2"], how["K"], how["intercept"])
    problem = problem_of(LAYOUTS[how["layout"]](X), y, s, how["K"], how["l2"], how["intercept"])
    rng, z, lowest = np.random.default_rng(seed), problem.score_buffer(), []
    for size in (0.0, 0.01, 0.3, 3.0, 30.0):
        u = size * rng.normal(size=problem.size)
        if not how["intercept"]:
            u[-how["K"] :] = 0
        point = problem.evaluate(u, z)  # the scores before are those of another u
        lowest += [point.lower, problem.certified(point, z).lower]
    solution = solved(problem, 1e-10)
    assert max(*lowest, solution.lower) <= least * (1 + 1e-12)
    assert max(lowest) > -np.inf
    assert solution.reason.name == "converged"
    assert solution.gap <= 1e-10 * least
    # SciPy's value is not its minimum to the last digit where there is little penalty
    assert solution.value <= least * (1 + 1e-9)


def test_a_certificate_is_the_square_of_the_gradient_over_the_penalty():
    X, y, s = table()
    problem = problem_of(X, y, s, 3, 0.1)
    z = problem.score_buffer()
    point = problem.evaluate(0.01 * np.random.default_rng(0).normal(size=problem.size), z)
    better = problem.certified(point, z)
    assert better.value < point.value
    np.testing.assert_allclose(better.gradient[-3:], 0, atol=1e-14)  # the intercepts are the best
    np.testing.assert_allclose(better.u[:-3], point.u[:-3])
    W, _ = problem.to_user(better.u)
    by_w = (better.gradient[:-3].reshape(4, 3) / problem.standardisation[1][:, None]).T
    assert better.value - better.lower == pytest.approx(np.sum(by_w**2) / (2 * 0.1), rel=1e-9)
    assert W.shape == by_w.shape


def test_after_newtons_steps_the_gap_is_small_however_small_the_penalty():
    X, y, s = table()
    problem = problem_of(X, y, s, 3, 1e-9)
    z = problem.score_buffer()
    for last in newton(problem, np.zeros(problem.size)):
        if np.abs(last.gradient).max() < 1e-7:
            break
    problem.evaluate(last.u, z)
    there = problem.certified(last, z)  # by its own slopes, whose squares are divided by the penalty
    assert last.value - last.lower < 1e-12
    assert there.value - there.lower > 1e-10


def test_foreseen_slopes_that_leave_the_simplex_still_give_a_bound():
    X, y, s = table()
    problem = problem_of(X, y, s, 3, 0.1)
    z = problem.score_buffer()
    z[:] = 5 * np.random.default_rng(0).normal(size=z.shape)
    point = problem.evaluate(np.zeros(problem.size), z)
    assert -np.inf < point.lower <= reference(X, y, s, 0.1, 3, True)


def test_probabilities_of_other_shares_are_mixed_into_a_dual_point():
    X, y, s = table()
    problem = problem_of(X, y, s, 3, 0.1)
    u, z = 0.3 * np.random.default_rng(2).normal(size=problem.size), problem.score_buffer()
    problem.evaluate(u, z)
    lower = problem.evaluate(u, z).lower  # at the same scores, so that what was foreseen are their own slopes
    p = np.exp(z - logsumexp(z, axis=1, keepdims=True))
    truth = np.eye(3)[y]
    t = np.max(1 - (s @ truth) / (s @ p))
    q = s @ p + (s @ truth - s @ p) / t
    mixed = (1 - t) * p + t * q
    assert t > 0.01
    assert q.min() > -1e-12
    np.testing.assert_allclose(s @ mixed, s @ truth)
    squares = np.sum((X.T @ (s[:, None] * (mixed - truth))) ** 2) / (2 * 0.1)
    assert lower == pytest.approx((1 - t) * s @ entr(p).sum(axis=1) + t * entr(np.maximum(q, 0)).sum() - squares)
    assert lower <= s @ entr(mixed).sum(axis=1) - squares  # the dual itself


def test_a_column_without_a_penalty_leaves_no_bound():
    X, y, s = table()
    problem = problem_of(X, y, s, 3, np.array([0.1, 0.0, 0.1, 0.1]))
    point = problem.evaluate(np.zeros(problem.size), problem.score_buffer())
    assert point.lower == -np.inf
    assert problem.certified(point, problem.score_buffer()).lower == -np.inf


def test_with_many_coefficients_only_a_certificate_has_a_bound():
    rng = np.random.default_rng(0)
    X = sparse.random_array((60, PREDICTED_DUAL_SIZE), density=0.02, rng=rng, format="csr")
    problem = problem_of(X, rng.integers(0, 3, 60), np.array([1 / 60]), 3, 0.1)
    z = problem.score_buffer()
    point = problem.evaluate(np.zeros(problem.size), z)
    assert point.lower == -np.inf
    assert point.value == pytest.approx(np.log(3), rel=1e-12)
    assert 0 < problem.certified(point, z).lower < np.log(3)


def test_parts_side_by_side_give_what_one_gives(monkeypatch):
    X, y, s = table(n=500)
    for Z in (X, sparse.csr_array(X)):
        one, many = problem_of(Z, y, s, 3), problem_of(Z, y, s, 3)
        many.__dict__["ranges"] = [(0, 7), (7, 300), (300, 500)]
        u = np.random.default_rng(0).normal(size=one.size)
        a, b = (p.evaluate(u, p.score_buffer()) for p in (one, many))
        np.testing.assert_allclose(a.gradient, b.gradient, rtol=1e-11, atol=1e-14)
        assert a.lower == pytest.approx(b.lower, rel=1e-12)


def test_a_sample_leads_newton_to_the_same_minimum():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 27))
    y = np.argmax(X[:, :3] + rng.gumbel(size=(40_000, 3)), axis=1)
    problem = problem_of(X, y, np.array([1 / 40_000]), 3, 1e-3)
    sample = problem.sample(8000)
    assert sample.matrix.shape == (8000, 27)
    assert sample.rows.s.sum() * 8000 == pytest.approx(1)
    np.testing.assert_allclose(sample.penalty.l2, 5 * problem.penalty.l2)  # it weighs as much beside a row
    solution = ConvergenceMonitor(1e-9, 20).follow(sampled_newton(problem, np.zeros(problem.size)))
    assert solution.reason.name == "converged"
    assert len(solution.curve) < len(solved(problem, 1e-9).curve)
    assert solution.value == pytest.approx(solved(problem, 1e-12).value, rel=1e-9)


@pytest.mark.parametrize("layout", ["C", "F", "CSR"])
@pytest.mark.parametrize("K", [3, 9])
def test_the_hessian_of_many_columns_is_that_of_the_definition(layout, K):
    X, y, s = table(n=700, d=40, K=K)
    X = X / np.abs(X).max(axis=0)
    problem = problem_of(LAYOUTS[layout](X), y, s, K, 0.05)
    z = np.random.default_rng(1).normal(size=(700, K))
    p = np.exp(z - logsumexp(z, axis=1, keepdims=True))
    centre, unit = problem.standardisation
    rows = np.column_stack([(X - centre) * unit, np.ones(700)])
    inner = np.einsum("nk,kl->nkl", p, np.eye(K)) - p[:, :, None] * p[:, None]
    expected = np.einsum("n,ni,nj,nkl->ikjl", s, rows, rows, inner)
    expected[-1, :, -1] += np.trace(expected[-1, :, -1]) / K**2  # along equal moves of the intercepts
    expected = expected.reshape(41 * K, 41 * K) + np.diag(problem.curvature_of_penalty)
    np.testing.assert_allclose(problem.hessian(z), expected, atol=1e-12)


def test_a_sample_has_each_class_by_its_share_and_one_row_of_the_rarest():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2, 3], [5000, 2500, 2498, 2])
    rng.shuffle(y)
    X, s = rng.normal(size=(10_000, 2)), rng.random(10_000)
    problem = problem_of(X, y, s / s.sum(), 4)
    sample = problem.sample(1000)
    counts = np.bincount(sample.rows.y, minlength=4)
    np.testing.assert_allclose(counts[:3], [500, 250, 250], atol=1)
    assert counts[3] >= 1
    assert sample.rows.s.sum() == pytest.approx(1)
    assert len(np.unique(sample.matrix.X, axis=0)) == counts.sum()
    np.testing.assert_allclose(sample.penalty.l2, problem.penalty.l2 * 10_000 / counts.sum())


def test_of_many_numbers_to_find_a_sample_leads_to_a_greater_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 10))
    y = np.argmax(X @ rng.normal(size=(10, 12)) + rng.gumbel(size=(12_000, 12)), axis=1)
    problem = problem_of(X, y, np.array([1 / 12_000]), 12, 1e-3)
    seen = []
    sample = MultinomialProblem.sample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MultinomialProblem, "sample", lambda self, count: seen.append(count) or sample(self, count))
        solution = ConvergenceMonitor(1e-9, 20).follow(sampled_newton(problem, np.zeros(problem.size)))
    assert seen == [550, 3000]  # fifty rows for each column and intercept, and a quarter of all
    assert len(solution.curve) < len(solved(problem, 1e-9).curve)
    assert solution.value == pytest.approx(solved(problem, 1e-12).value, rel=1e-9)
