import numpy as np

from descend.linear._kernels.losses import LOGISTIC, Loss
from descend.linear._matrix import Matrix, Rows
from descend.linear._problem import Problem
from descend.linear._solution import Watch
from descend.linear._solve import solve


def test_newton_converges_on_a_logistic_regression():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = np.where(X[:, 0] + rng.normal(size=50) > 0, 1, -1)
    problem = Problem(Matrix(X), Rows(y, np.array([1 / 50])), Loss(LOGISTIC), np.full(3, 0.1), np.zeros(3))
    assert solve(problem, Watch(1e-8, 100)).reason.name == "converged"
