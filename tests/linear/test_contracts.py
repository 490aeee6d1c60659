"""What problems offer, and that solvers refuse those that do not offer what they ask."""

import numpy as np
import pytest
from scipy import optimize

from descend.errors import InputError
from descend.linear._losses import SQUARED, Loss
from descend.linear.problems.matrix import Array, Matrix, Rows
from descend.linear.problems.multinomial import MultinomialProblem
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Problem
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.solve import SOLVERS

L2, L1 = np.array([0.5, 2.0, 1.0]), np.array([0.0, 0.3, 4.0])
ROWS, WEIGHTS = np.random.default_rng(0).normal(size=(12, 3)), np.array([1 / 12])


def one_score() -> ScalarProblem:
    return ScalarProblem(Matrix(ROWS), Rows(ROWS[:, 0], WEIGHTS), Loss(SQUARED), Penalty(L2, L1))


def one_score_by_class(penalty: Penalty) -> MultinomialProblem:
    return MultinomialProblem(Matrix(ROWS), Rows(np.arange(12) % 3, WEIGHTS), 3, penalty)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("q", [np.array([1.0, -0.2, 5.0]), np.array([-3.0, 2.0, -1.0])])
def test_the_conjugate_of_a_penalty_is_the_greatest_of_its_lines(q: Array, positive: bool) -> None:
    penalty = Penalty(L2, L1, positive)
    found = optimize.minimize(lambda w: penalty.value(w) - q @ w, np.ones(3), method="Nelder-Mead",
                              bounds=[(0.0 if positive else None, None)] * 3,
                              options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000, "maxfev": 4000})
    assert penalty.conjugate(q) == pytest.approx(-found.fun, rel=1e-9)


def test_a_penalty_says_what_it_is() -> None:
    both, ridge, none = Penalty(L2, L1), Penalty.ridge(L2), Penalty.even(3, 0.0)
    assert [(p.is_smooth, p.is_strict, p.free.any()) for p in (both, ridge, none)] == [
        (False, True, False), (True, True, False), (True, False, True)]
    assert not Penalty(L2, np.zeros(3), positive=True).is_smooth
    assert not Penalty(np.array([1.0, 0.0]), np.zeros(2)).is_strict
    v, unit = np.array([0.1, -2.0, 3.0]), np.array([2.0, 0.5, 4.0])  # w = unit v
    assert both.value(unit * v) == pytest.approx(0.5 * both.curvature(unit) @ v**2 + both.threshold(unit) @ np.abs(v))
    chosen = both.of_columns(np.array([2, 0]))
    np.testing.assert_array_equal([chosen.l2, chosen.l1], [L2[[2, 0]], L1[[2, 0]]])


def test_both_problems_keep_the_contract() -> None:
    assert isinstance(one_score(), Problem)
    assert isinstance(one_score_by_class(Penalty.ridge(L2)), Problem)


@pytest.mark.parametrize("solver", ["coordinate", "interior", "smoothing", "sgd", "svrg"])
def test_a_solver_of_one_score_refuses_more(solver: str) -> None:
    problem = one_score_by_class(Penalty.ridge(L2))
    with pytest.raises(InputError, match=f"solver='{solver}' is for one score of a row, and here are 3"):
        next(SOLVERS[solver](problem, np.zeros(problem.size)))


def test_a_penalty_that_a_problem_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="no l1 penalty"):
        one_score_by_class(Penalty(L2, L1))
