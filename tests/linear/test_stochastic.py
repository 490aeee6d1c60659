"""Stochastic solvers and any optimizer of descend: they come to the minimum that Newton's method finds."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from descend import SGD, Adam
from descend.errors import InputError
from descend.linear._losses import HINGE, LOGISTIC, POISSON, SQUARED, SQUARED_HINGE, Loss
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor, Solution
from descend.linear.solvers.solve import solve
from descend.schedules import Cosine

ROWS = 3000


def problem(loss: Loss, compressed: bool = False, intercept: bool = True, weighted: bool = False) -> ScalarProblem:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 5)) * np.logspace(-2, 2, 5) + 2
    if compressed:
        X *= rng.random(X.shape) < 0.4
    z = (X - X.mean(0)) / X.std(0) @ rng.normal(size=5) + rng.normal(size=ROWS)
    y = z if loss.kind == SQUARED else np.where(z > 0, 1, -1).astype(np.int8)
    s = rng.uniform(0.5, 1.5, ROWS)
    rows = Rows(y, s / s.sum() if weighted else np.array([1 / ROWS]))
    matrix = Matrix(sparse.csr_array(X) if compressed else X)
    return ScalarProblem(matrix, rows, loss, Penalty(np.full(5, 1e-2), np.zeros(5)), intercept)


def suboptimality(task: ScalarProblem, solver: Any, max_iter: int, tol: float = 1e-6) -> tuple[float, Solution]:
    best = solve(task, ConvergenceMonitor(1e-12, 200), "newton")
    found = solve(task, ConvergenceMonitor(tol, max_iter), solver)
    assert found.lower <= best.value * (1 + 1e-9)
    return found.value / best.value - 1, found


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [Loss(SQUARED), Loss(LOGISTIC), Loss(SQUARED_HINGE)])
def test_svrg_converges_and_proves_it(loss: Loss, weighted: bool, intercept: bool, compressed: bool) -> None:
    excess, found = suboptimality(problem(loss, compressed, intercept, weighted), "svrg", 300)
    assert found.reason.name == "converged", found.reason
    assert excess <= 1e-6 * (1 + 1e-6)


@pytest.mark.parametrize("compressed", [False, True])
def test_sgd_comes_near(compressed: bool) -> None:
    excess, found = suboptimality(problem(Loss(LOGISTIC), compressed), "sgd", 50, tol=1e-9)
    assert excess < 2e-3
    assert found.reason.name == "budget"  # it only creeps, and says so


@pytest.mark.parametrize("rule", [SGD(0.1, momentum=0.9), Adam(Cosine(0.05))], ids=["momentum", "Adam, cosine"])
@pytest.mark.parametrize("compressed", [False, True])
def test_any_optimizer_is_a_solver(rule: Any, compressed: bool) -> None:
    excess, found = suboptimality(problem(Loss(LOGISTIC), compressed, weighted=True), rule, 40)
    assert excess < 1e-3
    assert found.how.startswith(type(rule).__name__)


def test_a_hinge_through_the_engine() -> None:
    task = problem(Loss(HINGE))
    best = solve(task, ConvergenceMonitor(1e-6, 500))
    found = solve(task, ConvergenceMonitor(1e-6, 60), Adam(Cosine(0.05)))
    assert found.value < 1.02 * best.value


def test_the_same_seeds_give_the_same_numbers() -> None:
    task = problem(Loss(LOGISTIC))
    one, other = (solve(task, ConvergenceMonitor(1e-6, 5), "svrg").u for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_what_stochastic_steps_cannot_do_is_refused() -> None:
    task = problem(Loss(LOGISTIC))
    with pytest.raises(InputError, match="l1 penalty"):
        solve(
            ScalarProblem(task.matrix, task.rows, task.loss, Penalty(task.penalty.l2, np.ones(5))),
            ConvergenceMonitor(1e-3, 5),
            "sgd",
        )
    with pytest.raises(InputError, match="Poisson"):
        solve(
            ScalarProblem(task.matrix, task.rows, Loss(POISSON), task.penalty), ConvergenceMonitor(1e-3, 5), "svrg"
        )
    with pytest.raises(InputError, match="there is no solver 'newtn'"):
        solve(task, ConvergenceMonitor(1e-3, 5), "newtn")
