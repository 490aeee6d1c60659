import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from descend.linear._losses import HINGE, LOGISTIC, POISSON, SQUARED, SQUARED_HINGE, Loss
from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.multinomial import MultinomialProblem
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Iterate
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers import lbfgs as module
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.lbfgs import lbfgs
from descend.linear.solvers.newton import newton
from descend.linear.solvers.pairs import BlockPairs, Pairs
from descend.linear.solvers.solve import choice


def table(n=200, d=30, seed=0):
    """Columns that depend on each other, of units over six decades."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d))) + 1
    t = X @ rng.normal(size=d) / 10 + rng.normal(size=n)
    return X * 10.0 ** rng.uniform(-3, 3, d), t


def problem_of(X, y, kind, l2, intercept=True):
    n, d = X.shape
    return ScalarProblem(
        Matrix(X),
        Rows(y, np.array([1 / n])),
        Loss(kind),
        Penalty(np.broadcast_to(l2, d).copy(), np.zeros(d)),
        intercept,
    )


def descent(problem, tol, most=500):
    return ConvergenceMonitor(tol, most).follow(lbfgs(problem, np.zeros(problem.size)))


def test_least_squares_come_to_the_solution_of_the_normal_equations():
    X, y = table()
    l2 = 0.01 * X.var(axis=0)
    A = np.column_stack([X, np.ones(len(X))])
    best = np.linalg.solve(A.T @ A / len(X) + np.diag(np.append(l2, 0)), A.T @ y / len(X))
    problem = problem_of(X, y, SQUARED, l2)
    solution = descent(problem, 1e-12)
    assert solution.reason.name == "converged"
    w, b = problem.to_user(solution.u)
    np.testing.assert_allclose(w, best[:-1], rtol=1e-4)
    assert b == pytest.approx(best[-1], rel=1e-4)


SMOOTH = {"squared": SQUARED, "logistic": LOGISTIC, "squared hinge": SQUARED_HINGE, "poisson": POISSON}


@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize("intercept", [True, False])
def test_it_comes_to_newtons_minimum_and_its_bounds_hold(loss, intercept):
    X, t = table()
    kind = SMOOTH[loss]
    y = {SQUARED: t, POISSON: np.floor(np.exp(np.clip(t, -3, 3)))}.get(kind, np.where(t > 0, 1, -1).astype(np.int8))
    problem = problem_of(X, y, kind, 0.01 * X.var(axis=0), intercept)
    least = ConvergenceMonitor(1e-12, 100).follow(newton(problem, np.zeros(problem.size))).value
    lowest = [point.lower for point, _ in zip(lbfgs(problem, np.zeros(problem.size)), range(100), strict=False)]
    assert max(lowest) <= least * (1 + 1e-12)
    solution = descent(problem, 1e-9)
    assert solution.reason.name == "converged"
    assert least * (1 - 1e-12) <= solution.value <= least * (1 + 1e-9)


def test_it_agrees_with_scikit_learn_on_sparse_classes():
    rng = np.random.default_rng(0)
    X = sparse.random_array((2500, 400), density=0.05, rng=rng, format="csr")
    y = np.argmax(X[:, :5].toarray() + 0.3 * rng.gumbel(size=(2500, 5)), axis=1)
    problem = MultinomialProblem(Matrix(X), Rows(y, np.array([1 / 2500])), 5, Penalty.ridge(np.full(400, 1 / 2500)))
    assert choice(problem)[0] == "lbfgs"
    W, _ = problem.to_user(descent(problem, 1e-12).u)
    peer = LogisticRegression(C=1.0, tol=1e-9, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(W, peer.coef_, atol=1e-5 * np.abs(peer.coef_).max())


def two_loops(gradient, steps, changes, diagonal):
    """The recursion of Nocedal (1980)."""
    q, shares = gradient.copy(), []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        shares.append(s @ q / (s @ y))
        q -= shares[-1] * y
    s, y = steps[-1], changes[-1]
    q *= s @ y / (y @ (y / diagonal)) / diagonal
    for s, y, share in zip(steps, changes, reversed(shares), strict=True):
        q += (share - y @ q / (s @ y)) * s
    return -q


def test_its_direction_is_that_of_the_two_loops_though_pairs_fall_out():
    rng = np.random.default_rng(0)
    size = 40
    H = np.diag(rng.uniform(0.5, 5, size)) + 0.1 * np.ones((size, size))
    diagonal = rng.uniform(0.5, 2, size)
    pairs, steps, changes = Pairs(diagonal), [], []
    u = rng.normal(size=size)
    last = Iterate(u, 0.0, H @ u, 0.0)
    pairs.direction(last.gradient)
    for number in range(25):
        u = u + rng.normal(size=size) / (1 + number)
        point = Iterate(u, 0.0, H @ u, 0.0)
        pairs.add(point, last)
        steps, changes = [*steps, point.u - last.u][-10:], [*changes, point.gradient - last.gradient][-10:]
        direction, slope = pairs.direction(point.gradient)
        expected = two_loops(point.gradient, steps, changes, diagonal)
        # pairs lie in memory as float32, whose numbers have an error of 6e-8; their products lose some digits more
        np.testing.assert_allclose(direction, expected, atol=2e-5 * np.abs(expected).max())
        assert slope == pytest.approx(direction @ point.gradient, rel=1e-12)
        last = point


def test_a_pair_without_a_change_is_left_out():
    pairs = Pairs(np.ones(3))
    still, moved = Iterate(np.zeros(3), 0.0, np.ones(3), 0.0), Iterate(np.ones(3), 0.0, np.ones(3), 0.0)
    pairs.add(moved, still)
    assert pairs.order == []
    np.testing.assert_array_equal(pairs.direction(np.ones(3))[0], -np.ones(3))


def first_intercept(problem, monkeypatch):
    """Counts of evaluations and certificates."""
    counts = {"evaluate": 0, "certified": 0}

    def counting(method):
        def call(self, *args, **options):
            counts[method.__name__] += 1
            return method(self, *args, **options)

        return call

    for name in counts:
        monkeypatch.setattr(type(problem), name, counting(getattr(type(problem), name)))
    return counts


def test_an_iteration_takes_about_one_pass(monkeypatch):
    X, t = table(d=60)
    problem = problem_of(X, np.where(t > 0, 1, -1).astype(np.int8), LOGISTIC, 1e-4 * X.var(axis=0))
    counts = first_intercept(problem, monkeypatch)
    iterations = len(descent(problem, 1e-8).curve)
    assert iterations > 15
    assert counts["evaluate"] - counts["certified"] <= 1.15 * iterations  # a certificate evaluates, too
    assert 3 <= counts["certified"] <= 40  # each is foreseen to be better by half


def test_without_a_penalty_no_certificate_is_asked_and_it_ends_where_rounding_does(monkeypatch):
    X, y = table(d=5)
    problem = problem_of(X, y, SQUARED, 0.0)
    counts = first_intercept(problem, monkeypatch)
    solution = descent(problem, 1e-9)
    assert counts["certified"] == 0
    assert solution.reason.name == "stalled"
    residuals = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[1]
    assert solution.value == pytest.approx(0.5 * residuals[0] / len(X), rel=1e-9)


def test_it_starts_at_the_minimum_and_stays():
    X, t = table()
    problem = problem_of(X, t, SQUARED, 0.1 * X.var(axis=0))
    start = ConvergenceMonitor(1e-14, 20).follow(newton(problem, np.zeros(problem.size))).u
    values = [point.value for point, _ in zip(lbfgs(problem, start), range(100), strict=False)]
    assert max(values) <= values[0] * (1 + 1e-12)
    assert len(values) < 100


def test_a_step_into_overflow_is_shortened():
    X, _ = table()
    problem = problem_of(X, np.full(len(X), 5000.0), POISSON, 0.1 * X.var(axis=0))
    values = [point.value for point, _ in zip(lbfgs(problem, np.zeros(problem.size)), range(80), strict=False)]
    assert np.isfinite(values).all()
    assert values[-1] < 1e-3 * values[0]


def test_it_is_chosen_for_smooth_losses_of_many_coefficients():
    wide, y = np.zeros((2, DENSE_HESSIAN)), np.array([-1.0, 1.0])
    assert choice(problem_of(wide, y, LOGISTIC, 0.1))[0] == "lbfgs"
    assert choice(problem_of(wide, y, HINGE, 0.1))[0] != "lbfgs"
    assert choice(problem_of(wide[:, 1:], y, LOGISTIC, 0.1))[0] == "newton"


def rare_categories(rows=1200, classes=4, dtype=float):
    """Numbers that go together, and categories of which most are rare: the classes are nearly told by some."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, 1)) + 0.1 * rng.normal(size=(rows, 10))
    categories = (rng.zipf(1.5, rows) % 60)[:, None] == np.arange(60)
    X = np.hstack([numbers, categories]).astype(dtype)
    scores = X @ rng.normal(size=(70, classes)) * 2
    y = np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)
    unit = X.std(axis=0)
    return X / np.where(unit > 0, unit, 1), y


def multinomial(X, y, penalty, intercept=True):
    n, d = X.shape
    rows = Rows(y, np.array([1 / n]))
    return MultinomialProblem(Matrix(X), rows, int(y.max()) + 1, Penalty.ridge(np.full(d, penalty / n)), intercept)


@pytest.mark.parametrize("sparsely", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_blocks_are_those_of_the_hessian(sparsely, intercept):
    X, y = rare_categories(rows=300)
    problem = multinomial(sparse.csr_array(X) if sparsely else X, y, 0.1, intercept)
    z = problem.score_buffer()
    problem.evaluate(0.1 * np.random.default_rng(1).normal(size=problem.size), z)
    centre, unit = problem.standardisation
    rows = np.hstack([(X - centre) * unit, np.full((300, 1), float(intercept))])
    slopes = softmax(z, axis=1) * (1 - softmax(z, axis=1))
    expected = np.einsum("nk,ni,nj->kij", slopes / 300, rows, rows)
    expected += np.diag(np.append(problem.curvature_of_penalty[::4][:-1], float(not intercept)))
    np.testing.assert_allclose(np.tril(problem.hessian_blocks(z)), np.tril(expected), atol=1e-12)


def test_blocks_spare_most_steps_where_categories_are_rare_and_the_penalty_is_weak(monkeypatch):
    X, y = rare_categories()
    problem = multinomial(X, y, 1e-2)
    solution = descent(problem, 1e-6)
    least = ConvergenceMonitor(1e-10, 100).follow(newton(problem, np.zeros(problem.size))).value
    assert solution.reason.name == "converged"
    assert least * (1 - 1e-12) <= solution.value <= least * (1 + 1e-6)
    monkeypatch.setattr(module, "_steps_before_blocks", lambda problem: np.inf)
    without = descent(problem, 1e-6, most=2000)
    assert without.value <= least * (1 + 1e-5)
    assert len(solution.curve) < len(without.curve) / 4


def test_with_blocks_the_classes_mean_goes_to_where_the_penalty_has_it():
    X, y = rare_categories(rows=300)
    problem = multinomial(X, y, 1.0)
    u = np.zeros((71, 4))
    u[:-1] = 3.0
    solution = ConvergenceMonitor(1e-10, 500).follow(lbfgs(problem, u.ravel()))
    assert solution.reason.name == "converged"
    assert abs(solution.u.reshape(71, 4)[:-1].sum(axis=1)).max() < 1e-5


def test_the_direction_of_blocks_is_newtons_where_scores_know_nothing_of_each_other():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 6, 6))
    blocks, penalty = roots @ roots.transpose(0, 2, 1) + np.eye(6), np.append(np.full(5, 0.5), 0.0)
    gradient = rng.normal(size=(6, 3))
    gradient[-1] -= gradient[-1].mean()
    expected = -np.stack([np.linalg.solve(block, g) for block, g in zip(
        blocks, (gradient - gradient.mean(axis=1, keepdims=True)).T, strict=True)], axis=1)
    expected -= expected.mean(axis=1, keepdims=True)
    expected[:-1] -= 2 * gradient[:-1].mean(axis=1, keepdims=True)
    direction, slope = BlockPairs(blocks, penalty).direction(gradient.ravel())
    np.testing.assert_allclose(direction.reshape(6, 3), expected, rtol=1e-6)
    assert slope == pytest.approx(float(np.vdot(expected, gradient)), rel=1e-6)


def test_columns_that_are_alike_without_a_penalty_do_no_harm_to_blocks():
    X, y = rare_categories(rows=300)
    problem = multinomial(np.hstack([X, X]), y, 0.0)
    values = [point.value for point, _ in zip(lbfgs(problem, np.zeros(problem.size)), range(60), strict=False)]
    assert np.isfinite(values).all()
    assert values[-1] < 0.5 * values[0]
