import math

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import LinearConstraint, minimize, minimize_scalar
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression

from descend.linear._losses import (
    HUBER,
    LOGISTIC,
    POISSON,
    SQUARED,
    SQUARED_HINGE,
    SQUARED_INSENSITIVE,
    Loss,
)
from descend.linear.problems.huber_scale import ScaledProblem
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers import coordinate as coordinate_module
from descend.linear.solvers.accelerated import accelerated
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.coordinate import coordinate
from descend.linear.solvers.solve import choice, solve
from descend.linear.solvers.working_set import WorkingSet

LOSSES = {
    "squared": Loss(SQUARED),
    "logistic": Loss(LOGISTIC),
    "squared hinge": Loss(SQUARED_HINGE),
    "poisson": Loss(POISSON),
    "squared insensitive": Loss(SQUARED_INSENSITIVE, 0.1),
}


def table(rows, columns, seed=0, informative=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) * 10.0 ** rng.uniform(-1, 1, columns) + rng.normal(size=columns)
    w = np.zeros(columns)
    w[:informative] = rng.choice([-1.0, 1.0], informative) / X[:, :informative].std(axis=0)
    scores = (X - X.mean(axis=0)) @ w / math.sqrt(informative)
    return X, scores + 0.5 * rng.normal(size=rows), rng


def targets(loss, y, rng):
    if loss.kind in (LOGISTIC, SQUARED_HINGE):
        return np.where(y > 0.3, 1, -1).astype(np.int8)
    return rng.poisson(np.exp(0.5 * y)).astype(float) if loss.kind == POISSON else y


def problem_of(X, y, loss=LOSSES["squared"], l1=0.05, l2=0.0, s=None, intercept=True, kind=ScalarProblem):
    rows, columns = X.shape
    s = np.array([1 / rows]) if s is None else s / s.sum()
    return kind(Matrix(X), Rows(y, s), loss, Penalty(np.full(columns, l2), l1 * np.ones(columns)), intercept)


def solved(problem, tol=1e-10, start=None):
    u = np.zeros(problem.size) if start is None else start
    solution = ConvergenceMonitor(tol, 200).follow(coordinate(problem, u))
    return solution, *problem.to_user(solution.u)


def objective(problem, w, b):
    z = problem.matrix.X @ w + b
    weights = np.broadcast_to(problem.rows.s, z.shape)
    losses = [problem.loss.value(*row) for row in zip(z, problem.rows.y, strict=True)]
    return float(weights @ losses + problem.penalty.l1 @ np.abs(w) + 0.5 * problem.penalty.l2 @ w**2)


def minimum_by_scipy(problem):
    """The minimum by SLSQP, on parts of each coefficient above and below 0."""
    columns = problem.matrix.shape[1]

    def split(v):
        w, b = v[:columns] - v[columns:-1], v[-1] * problem.intercept
        return objective(problem, w, b) + float(problem.penalty.l1 @ (v[:columns] + v[columns:-1] - np.abs(w)))

    bounds = [(0, None)] * (2 * columns) + [(None, None)]
    return minimize(split, np.full(2 * columns + 1, 0.01), bounds=bounds, method="SLSQP",
                    options={"ftol": 1e-15, "maxiter": 1000}).fun


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(200, 30), (40, 120)])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_squared_loss_as_scikit_learn(shape, l2, intercept):
    X, y, rng = table(*shape)
    s = rng.uniform(0.5, 2, shape[0])
    problem = problem_of(X, y, l1=0.08, l2=l2, s=s, intercept=intercept)
    solution, w, b = solved(problem, 1e-12)
    peer = ElasticNet(alpha=0.08 + l2, l1_ratio=0.08 / (0.08 + l2), tol=1e-14, max_iter=10**6,
                      fit_intercept=intercept).fit(X, y, s)
    assert solution.reason.name == "converged"
    np.testing.assert_allclose(w, peer.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(b, peer.intercept_, rtol=1e-6, atol=1e-8)
    assert solution.value == pytest.approx(objective(problem, peer.coef_, peer.intercept_), rel=1e-11)


def test_logistic_loss_as_liblinear():
    X, y, rng = table(150, 20)
    y = targets(LOSSES["logistic"], y, rng)
    problem = problem_of(X, y, LOSSES["logistic"], l1=0.02, intercept=False)
    solution, w, _ = solved(problem, 1e-12)
    peer = LogisticRegression(C=1 / (0.02 * 150), l1_ratio=1.0, solver="liblinear", tol=1e-12, max_iter=10**5,
                              fit_intercept=False).fit(X, y)
    assert solution.reason.name == "converged"
    np.testing.assert_allclose(w, peer.coef_[0], rtol=1e-4, atol=1e-6)
    assert solution.value == pytest.approx(objective(problem, peer.coef_[0], 0.0), rel=1e-10)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_minimum_as_slsqp(loss):
    X, y, rng = table(60, 4, informative=2)
    problem = problem_of(X, targets(loss, y, rng), loss, l1=rng.uniform(0.01, 0.2, 4), s=rng.uniform(0.5, 2, 60))
    solution, w, b = solved(problem)
    best = minimum_by_scipy(problem)
    assert objective(problem, w, b) == pytest.approx(solution.value, rel=1e-13)
    assert solution.value <= best * (1 + 1e-12)
    assert solution.lower == pytest.approx(best, rel=1e-7)  # SLSQP's own accuracy


@pytest.mark.parametrize("l1", [0.1, 0.02])
@pytest.mark.parametrize("shape", [(300, 20), (50, 150)])
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_bound_holds_all_the_way_and_closes(loss, is_sparse, shape, l1):
    X, y, rng = table(*shape)
    X = sparse.csr_matrix(X * (rng.random(X.shape) < 0.5)) if is_sparse else X
    problem = problem_of(X, targets(loss, y, rng), loss, l1, s=rng.uniform(0, 2, shape[0]))
    best = solved(problem, 1e-13)[0].value
    points, steps = [], coordinate(problem, np.zeros(problem.size))
    for _ in range(100):
        points.append(next(steps))
        assert points[-1].lower <= best * (1 + 1e-12)
        if points[-1].value - points[-1].lower <= 1e-10 * best:
            break
    assert points[-1].value - points[-1].lower <= 1e-10 * best
    assert np.all(np.diff([point.value for point in points]) <= 1e-15 * points[0].value)  # rounding alone


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6, 1e-10])
def test_tolerance_is_a_promise(tol):
    X, y, _ = table(100, 300, informative=20)
    problem = problem_of(X, y, l1=0.02)
    solution, w, b = solved(problem, tol)
    peer = Lasso(alpha=0.02, tol=1e-14, max_iter=10**6).fit(X, y)
    best = objective(problem, peer.coef_, peer.intercept_)
    assert solution.reason.name == "converged"
    assert solution.gap <= tol * best
    assert objective(problem, w, b) - best <= solution.gap + 1e-14


def test_orthogonal_columns_are_soft_thresholded():
    X = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 8)))[0] * math.sqrt(50)
    y = np.random.default_rng(1).normal(size=50)
    solution, w, _ = solved(problem_of(X, y, l1=0.1, intercept=False))
    c = X.T @ y / 50
    np.testing.assert_allclose(w, np.sign(c) * np.maximum(np.abs(c) - 0.1, 0), atol=1e-14)
    assert 0 < np.sum(w != 0) < 8
    assert len(solution.curve) == 2  # one round is all that it takes


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_penalty_that_leaves_nothing_is_certified_at_once(loss):
    X, y, rng = table(80, 300)
    problem = problem_of(X, targets(loss, y, rng), loss, l1=1e3)
    solution, w, _ = solved(problem, 1e-12)
    assert solution.reason.name == "converged"
    assert len(solution.curve) == 1
    assert not w.any()


def test_the_least_penalty_that_leaves_nothing_is_met_exactly():
    X, y, _ = table(80, 10)
    least = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 80
    assert not solved(problem_of(X, y, l1=least * (1 + 1e-9)), 1e-12)[1].any()
    assert np.sum(solved(problem_of(X, y, l1=least * (1 - 1e-3)), 1e-12)[1] != 0) == 1


@pytest.mark.parametrize("name", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("columns", [12, 300])
def test_all_layouts_and_precisions_have_one_solution(columns, name):
    loss = LOSSES[name]
    X, y, rng = table(100, columns)
    X = (X * (rng.random(X.shape) < 0.5)).astype(np.float32)
    y = targets(loss, y, rng)
    layouts = [X, np.asfortranarray(X), X.astype(float), np.asfortranarray(X, float), sparse.csr_matrix(X)]
    wide = sparse.csr_matrix(X, dtype=float)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    solutions = [solved(problem_of(layout, y, loss, 0.05), 1e-12) for layout in (*layouts, wide)]
    for solution, w, b in solutions[1:]:
        assert solution.value == pytest.approx(solutions[0][0].value, rel=2e-12)
        np.testing.assert_allclose(w, solutions[0][1], rtol=1e-5, atol=1e-7)
        assert b == pytest.approx(solutions[0][2], abs=1e-5)


def test_weights_are_as_rows_repeated():
    X, y, rng = table(40, 60)
    times = rng.integers(0, 4, 40)
    once = solved(problem_of(X, y, s=times.astype(float)), 1e-12)
    again = solved(problem_of(np.repeat(X, times, axis=0), np.repeat(y, times)), 1e-12)
    assert once[0].value == pytest.approx(again[0].value, rel=1e-11)
    np.testing.assert_allclose(once[1], again[1], atol=1e-7)


@pytest.mark.parametrize("name", ["squared", "logistic"])
def test_duplicate_and_constant_columns(name):
    loss = LOSSES[name]
    X, y, rng = table(60, 15)
    y = targets(loss, y, rng)
    more = np.hstack([X, X, np.full((60, 1), 3e5), np.zeros((60, 1)), X[:, :3] * (1 + 1e-15)])
    alone, together = (solved(problem_of(Z, y, loss, 0.03), 1e-11) for Z in (X, more))
    assert together[0].reason.name == "converged"
    assert together[0].value == pytest.approx(alone[0].value, rel=1e-10)
    np.testing.assert_allclose(together[1][:15] + together[1][15:30] + np.append(together[1][32:], np.zeros(12)),
                               alone[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["squared", "logistic"])
def test_columns_of_any_unit(name):
    loss = LOSSES[name]
    X, y, rng = table(100, 20)
    y = targets(loss, y, rng)
    units = 10.0 ** rng.uniform(-6, 6, 20)
    plain, scaled = (solved(problem_of(X * unit, y, loss, 0.05 * unit), 1e-9) for unit in (np.ones(20), units))
    assert scaled[0].reason.name == "converged"
    assert scaled[0].value == pytest.approx(plain[0].value, rel=2e-9)
    np.testing.assert_allclose(scaled[1] * units, plain[1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["squared", "logistic", "squared hinge"])
def test_a_coefficient_without_penalty(name):
    """No dual point is exactly orthogonal to its column: the minimum is found, but without a certificate."""
    loss = LOSSES[name]
    X, y, rng = table(60, 4, informative=2)
    problem = problem_of(X, targets(loss, y, rng), loss, l1=np.array([0.0, 0.05, 0.05, 0.3]))
    solution, w, _ = solved(problem, 1e-10)
    assert solution.reason.name in ("stalled", "converged")
    assert solution.value <= minimum_by_scipy(problem) * (1 + 1e-12)
    assert w[0] != 0


def test_fewer_rows_than_columns_that_matter():
    """At a small penalty as many coefficients as rows are on; by coordinates alone it takes thousands of cycles."""
    X, y, _ = table(40, 200, informative=30)
    problem = problem_of(X, y, l1=1e-4)
    solution, w, _ = solved(problem, 1e-10)
    assert solution.reason.name == "converged"
    assert 30 <= np.sum(w != 0) <= 40
    assert len(solution.curve) < 30  # 12 or 17, as sums are rounded


def test_columns_much_alike():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 1)) + 1e-4 * rng.normal(size=(100, 30))
    y = X[:, 0] + 1e4 * (X[:, 1] - X[:, 2]) + rng.normal(size=100)
    solution, _, _ = solved(problem_of(X, y, l1=1e-3), 1e-10)
    assert solution.reason.name == "converged"
    assert len(solution.curve) < 10


def test_from_where_it_ended_it_ends_at_once():
    X, y, _ = table(100, 150)
    problem = problem_of(X, y)
    u = solved(problem, 1e-10)[0].u
    again = solved(problem, 1e-9, u)[0]
    assert again.reason.name == "converged"
    assert len(again.curve) == 1


def test_it_ends_where_there_is_no_more_to_gain():
    X, y, _ = table(100, 50)
    solution, w, b = solved(problem_of(X, y), 0.0)
    peer = Lasso(alpha=0.05, tol=1e-14, max_iter=10**6).fit(X, y)
    assert solution.reason.name in ("stalled", "converged")
    np.testing.assert_allclose(np.append(w, b), np.append(peer.coef_, peer.intercept_), atol=1e-9)


@pytest.mark.parametrize("l1", [0.02, 0.2])
def test_huber_with_its_scale(l1):
    X, y, _ = table(80, 4, informative=2)
    y[:5] += 20
    problem = problem_of(X, y, Loss(HUBER, 1.35, 1.0), l1, kind=ScaledProblem)
    solution = solved(problem, 1e-9)[0]

    def whole(v):
        errors = np.abs(y - X @ (v[:4] - v[4:8]) - v[8]) / v[9]
        losses = np.where(errors <= 1.35, errors**2, 2 * 1.35 * errors - 1.35**2)
        return v[9] + v[9] * losses.mean() + l1 * v[:8].sum()

    start = np.append(np.full(8, 0.1), [0.0, 1.0])
    best = minimize(whole, start, bounds=[(0, None)] * 8 + [(None, None), (1e-3, None)], method="SLSQP",
                    constraints=LinearConstraint(np.eye(10)[9], 1e-3), options={"ftol": 1e-15, "maxiter": 1000}).fun
    assert solution.reason.name == "converged"
    assert solution.value == pytest.approx(best, rel=1e-6)  # SLSQP's own accuracy
    assert solution.lower <= best


def test_as_accelerated_gradient_on_a_wide_table_of_both_orders():
    X, y, rng = table(120, 400)
    y = targets(LOSSES["logistic"], y, rng)
    for layout in (X, np.asfortranarray(X)):
        problem = problem_of(layout, y, LOSSES["logistic"], 0.03)
        peer = ConvergenceMonitor(1e-9, 20000).follow(accelerated(problem, np.zeros(problem.size)))
        solution = solved(problem, 1e-9)[0]
        assert solution.value == pytest.approx(peer.value, rel=2e-9)


def sparse_table(rows=120, columns=1500, seed=0):
    """Rows of few numbers each, so that a working set is a small part of them."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array((rows, columns), density=0.03, rng=rng, format="csr")
    w = np.zeros(columns)
    w[:60] = rng.choice([-4.0, 4.0], 60)
    return X, X @ w + 0.2 * rng.normal(size=rows), rng


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "squared"])
def test_columns_of_a_sparse_matrix_alone_lead_to_the_minimum_of_all(name, intercept, monkeypatch):
    X, y, rng = sparse_table()
    y = targets(LOSSES[name], y, rng)
    problem = problem_of(X, y, LOSSES[name], 0.004, s=rng.uniform(0.5, 2, 120), intercept=intercept)
    parts = []
    monkeypatch.setattr(
        WorkingSet, "subproblem", lambda *args, part=WorkingSet.subproblem: parts.append(part(*args)) or parts[-1]
    )
    solution, w, _ = solved(problem, 1e-11)
    assert solution.reason.name == "converged"
    assert any(part is not None for part in parts)
    monkeypatch.setattr(WorkingSet, "subproblem", lambda *_: None)
    whole = solved(problem, 1e-11)[0]
    assert solution.value == pytest.approx(whole.value, rel=2e-11)
    assert max(solution.lower, whole.lower) <= min(solution.value, whole.value) * (1 + 1e-14)
    if problem.loss.kind == LOGISTIC and not intercept:
        peer = LogisticRegression(C=1.0, l1_ratio=1.0, solver="liblinear", tol=1e-8, max_iter=10**4,
                                  fit_intercept=False).fit(X, problem.rows.y, problem.rows.s / 0.004)
        np.testing.assert_allclose(w, peer.coef_[0], rtol=1e-3, atol=1e-4)  # liblinear's own accuracy


@pytest.mark.parametrize("loss", [LOSSES["logistic"], LOSSES["squared hinge"]], ids=["logistic", "squared hinge"])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_first_intercept_is_the_best_without_columns(loss, weighted):
    X, y, rng = table(60, 5)
    s = rng.uniform(0.5, 2, 60) if weighted else None
    problem = problem_of(X, targets(loss, y, rng), loss, 1e3, s=s)
    first = next(coordinate(problem, np.zeros(6)))
    best = minimize_scalar(lambda b: objective(problem, np.zeros(5), b), bounds=(-10, 10), method="bounded",
                           options={"xatol": 1e-10}).fun
    assert first.value == pytest.approx(best, rel=1e-12)
    assert abs(first.gradient[-1]) < 1e-14


def test_it_is_chosen_for_an_l1_penalty():
    X, y, _ = table(20, 6)
    assert choice(problem_of(X, y))[0] == "coordinate"


@pytest.mark.parametrize("loss", [Loss(SQUARED), Loss(LOGISTIC)], ids=["squared", "logistic"])
def test_too_many_coefficients_for_a_gram_matrix_are_left_to_steps(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 60))
    z = X @ rng.normal(size=60)
    rows = Rows(z if loss.kind == SQUARED else np.sign(z).astype(np.int8), np.array([1 / 200]))
    problem = ScalarProblem(Matrix(X), rows, loss, Penalty(np.zeros(60), np.full(60, 0.01)))
    wanted = solve(problem, ConvergenceMonitor(1e-9, 1000), "coordinate")
    monkeypatch.setattr(coordinate_module, "GRAM_COLUMNS", 10)
    found = solve(problem, ConvergenceMonitor(1e-9, 5000), "coordinate")
    assert found.reason.name == wanted.reason.name == "converged"
    assert len(found.curve) > 2 * len(wanted.curve)
    np.testing.assert_allclose(found.value, wanted.value, rtol=2e-9)


def test_an_intercept_alone_is_no_part_of_itself():
    """Where the penalty keeps all columns out, and rows of one class give the intercept no minimum."""
    X = sparse.csr_array(np.random.default_rng(0).normal(size=(4, 6)))
    problem = problem_of(X, np.ones(4), LOSSES["logistic"], l1=10.0)
    solution, w, _ = solved(problem, 1e-6)
    assert not w.any()
    assert solution.reason.name in ("stalled", "budget")
