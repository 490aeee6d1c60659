"""Dual ascent of several problems side by side, against SciPy's minima, liblinear, and each problem by itself."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.svm import LinearSVC as Liblinear

from descend.linear import LinearSVC, LogisticRegression
from descend.linear._kernels.batched_sdca import LANES, scores
from descend.linear._kernels.threads import each
from descend.linear._losses import HINGE, LOGISTIC, SQUARED, SQUARED_HINGE, Loss
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.batched_sdca import batched_sdca, can_batch
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.sdca import sdca
from descend.linear.solvers.solve import solve_batched

CLASSES = LANES + 3  # more than one group


def table(rows=90, columns=25, classes=CLASSES):
    rng = np.random.default_rng(0)
    X = sparse.csr_array(rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.3))
    return X, rng.integers(0, classes, rows)


def texts(rows=300, columns=2500, classes=4):
    """Short rows, as texts have them, and so many columns that the dual is chosen."""
    X, labels = table(rows, columns, classes)
    return sparse.csr_array(X / np.sqrt((X * X).sum(axis=1))[:, None]), labels


def problems_of(X, labels, loss, weighted=False, intercept=True, l2=0.02):
    rows, columns = X.shape
    s = np.random.default_rng(1).integers(0, 4, rows) + 1e-3 if weighted else np.ones(1) / rows
    s = s / s.sum() if weighted else s
    matrix = Matrix(X)
    return [
        ScalarProblem(
            matrix,
            Rows(np.where(labels == one, 1, -1).astype(np.int8), s),
            Loss(loss),
            Penalty(np.full(columns, l2), np.zeros(columns)),
            intercept,
        )
        for one in range(labels.max() + 1)
    ]


def objective(problem, w, b):
    """Value and gradient, row by row."""
    X, (y, s) = problem.matrix.X, problem.rows
    z = X @ w + b
    s = np.broadcast_to(s, len(z))
    losses = np.array([problem.loss.value(*pair) for pair in zip(z, y, strict=True)])
    slopes = s * np.array([problem.loss.slope(*pair) for pair in zip(z, y, strict=True)])
    by_b = slopes.sum() * problem.intercept
    return s @ losses + 0.5 * problem.penalty.l2 @ w**2, np.append(X.T @ slopes + problem.penalty.l2 * w, by_b)


def solved(problems, tol=1e-8, starts=None, max_iter=1000):
    monitors = [ConvergenceMonitor(tol, max_iter) for _ in problems]
    starts = [problem.default_start() for problem in problems] if starts is None else starts
    return batched_sdca(problems, starts, monitors)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", [SQUARED_HINGE, LOGISTIC, SQUARED])
def test_minima_are_those_of_scipy(loss, weighted, intercept):
    problems = problems_of(*table(), loss, weighted, intercept)
    for problem, solution in zip(problems, solved(problems), strict=True):
        best = minimize(lambda u, problem=problem: objective(problem, u[:-1], u[-1]), np.zeros(problem.size), jac=True,
                        method="BFGS", options={"gtol": 1e-9, "maxiter": 5000}).fun
        found = objective(problem, *problem.to_user(solution.u))[0]
        assert solution.reason.name == "converged"
        assert found == pytest.approx(solution.value, rel=1e-12)
        assert solution.lower <= best * (1 + 1e-11)  # SciPy's own accuracy
        assert best * (1 - 1e-11) <= found <= best * (1 + 1.01e-8)


@pytest.mark.parametrize("loss", [SQUARED_HINGE, HINGE, LOGISTIC])
def test_each_is_as_by_itself(loss):
    problems = problems_of(*table(), loss)
    for problem, solution in zip(problems, solved(problems), strict=True):
        alone = ConvergenceMonitor(1e-8, 1000).follow(sdca(problem, problem.default_start()))
        assert solution.reason.name == "converged"
        assert solution.value == pytest.approx(alone.value, rel=2e-8)
        assert max(solution.lower, alone.lower) <= min(solution.value, alone.value)


def test_all_bounds_hold_on_the_way():
    problems = problems_of(*table(), SQUARED_HINGE)
    best = [solution.value for solution in solved(problems, 1e-12)]
    bounds = [[] for _ in problems]
    monitors = [ConvergenceMonitor(1e-9, 1000) for _ in problems]
    for monitor, seen in zip(monitors, bounds, strict=True):
        monitor.each = lambda *_, monitor=monitor, seen=seen: seen.append(monitor.lower)
    batched_sdca(problems, [problem.default_start() for problem in problems], monitors)
    for seen, value_ in zip(bounds, best, strict=True):
        assert len(seen) > 2
        assert max(seen) <= value_ * (1 + 1e-14)


def test_classifier_is_liblinear():
    X, labels = texts()
    ours = LinearSVC(tol=1e-12, fit_intercept=False).fit(X, labels)
    peer = Liblinear(tol=1e-10, fit_intercept=False, max_iter=10**6).fit(X, labels)
    assert ours.solver_.startswith("dual: ")
    assert ours.duality_gap_ < 1e-12
    distance = np.linalg.norm(ours.coef_ - peer.coef_, axis=1)  # by the penalty's curvature, 1/300, the gap bounds it
    assert distance.max() <= np.sqrt(2 * 300 * ours.duality_gap_) + 1e-8
    assert len(ours.loss_curve_) == 4


def test_logistic_classes_each_against_the_others():
    X, labels = texts()
    model = LogisticRegression(multi_class="ovr", tol=1e-10).fit(X, labels)
    assert model.solver_.startswith("dual: ")
    for problem, w, b in zip(problems_of(X, labels, LOGISTIC, l2=1 / 300), model.coef_, model.intercept_, strict=True):
        assert np.abs(objective(problem, w, b)[1]).max() < 1e-6


def test_layouts_and_precisions_have_one_solution():
    X, labels = table()
    X = X.astype(np.float32)
    long = X.astype(np.float64)
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    for one, other in zip(*(solved(problems_of(Z, labels, SQUARED_HINGE), 1e-12) for Z in (X, long)), strict=True):
        np.testing.assert_allclose(one.u, other.u, atol=1e-6)
        assert one.value == pytest.approx(other.value, rel=1e-12)


def test_a_column_after_the_last_is_not_touched():
    """A row's numbers are read as vectors: of the last column, too, no further than its coefficients."""
    X = sparse.csr_array(np.array([[0.0, 2.0], [1.0, 3.0]]))
    W = np.arange(2.0 * LANES).reshape(2, LANES)
    out = np.empty((LANES, 2))
    scores(X.data, X.indices, X.indptr, W, np.arange(LANES) / 8, out)
    np.testing.assert_array_equal(out, (X @ W + np.arange(LANES) / 8).T)


def test_from_where_they_ended_they_end_at_once():
    problems = problems_of(*table(), SQUARED_HINGE)
    starts = [solution.u for solution in solved(problems, 1e-10)]
    for solution in solved(problems, 1e-3, starts):
        assert solution.reason.name == "converged"
        assert len(solution.curve) == 1


def test_budget_and_stall_are_named():
    problems = problems_of(*table(), SQUARED_HINGE)
    assert {solution.reason.name for solution in solved(problems, 1e-12, max_iter=1)} == {"budget"}
    reasons = [solution.reason for solution in solved(problems, 0.0)]
    assert {reason.name for reason in reasons} <= {"stalled", "converged"}
    assert all("the slopes do not change any more" in str(reason) for reason in reasons if reason.name == "stalled")


def test_only_problems_that_differ_in_their_targets_are_solved_together():
    problems = problems_of(*table(), SQUARED_HINGE)
    weights = problems_of(*table(), SQUARED_HINGE, weighted=True)[0].rows.s
    assert can_batch(problems)
    for other in (
        replace(problems[1], penalty=Penalty.ridge(2 * problems[1].penalty.l2)),
        replace(problems[1], intercept=False),
        replace(problems[1], loss=Loss(HINGE)),
        replace(problems[1], rows=Rows(problems[1].rows.y, weights)),
        replace(problems[1], matrix=Matrix(problems[1].matrix.X)),
        replace(problems[1], penalty=Penalty(problems[1].penalty.l2, problems[1].penalty.l2)),
        replace(problems[1], linear_term=0.1),
    ):
        assert not can_batch([problems[0], other])
    dense = Matrix(problems[0].matrix.X.toarray())
    assert not can_batch([replace(problem, matrix=dense) for problem in problems])
    uneven = np.linspace(1, 2, problems[0].size - 1)
    assert not can_batch([replace(problem, penalty=Penalty.ridge(uneven)) for problem in problems])
    monitors = [ConvergenceMonitor(1e-4, 10) for _ in problems]
    assert solve_batched(problems, monitors, "lbfgs", [None] * len(problems)) == []
    assert solve_batched(problems[:1], monitors[:1], "dual", [None]) == []


def test_work_within_work_does_not_wait_for_itself():
    inner = lambda start, stop: sum(each(lambda a, b: b - a, [(start, stop), (stop, stop + 5)]))
    assert each(inner, [(i, i + 1) for i in range(50)]) == [6] * 50
