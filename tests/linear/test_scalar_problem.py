import numpy as np

from descend.linear._losses import LOGISTIC, Loss
from descend.linear.problems.matrix import Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor
from descend.linear.solvers.solve import solve


def test_newton_converges_on_a_logistic_regression():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = np.where(X[:, 0] + rng.normal(size=50) > 0, 1, -1).astype(np.int8)
    problem = ScalarProblem(
        Matrix(X), Rows(y, np.array([1 / 50])), Loss(LOGISTIC), Penalty(np.full(3, 0.1), np.zeros(3))
    )
    assert solve(problem, ConvergenceMonitor(1e-8, 100)).reason.name == "converged"


def test_a_sample_penalises_small_columns_as_all_rows_do_and_rare_ones_no_less_than_before():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 3)) * [1e-4, 1.0, 1.0]
    X[:, 2] = rng.random(1000) < 0.01
    l2 = np.full(3, 1e-3)
    problem = ScalarProblem(Matrix(X), Rows(np.ones(1000), np.array([1e-3])), Loss(LOGISTIC), Penalty(l2, np.zeros(3)))
    small, usual, rare = problem.sample(100).penalty.l2
    np.testing.assert_allclose([small, usual, rare], [1e-3, 1e-2, 1e-2], rtol=1e-3)
