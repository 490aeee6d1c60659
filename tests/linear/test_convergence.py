"""When a descent is over: promises relative to minima of either sign, words that are true, and solvers without a point;
and the bounds and steps that rounding used to spoil."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from descend.linear import OneClassSVM
from descend.linear._losses import HINGE, LOGISTIC, SQUARED_HINGE, Loss
from descend.linear.problems.curvature import Curvature
from descend.linear.problems.matrix import Matrix, Rows, Sums
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Iterate
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor, Solution
from descend.linear.solvers.newton_decrement import accept_by_decrement
from descend.linear.solvers.solve import solve

U = np.zeros(2)


def followed(pairs: list[tuple[float, float]], tol: float, most: int = 100) -> Solution:
    """What a watch makes of these values and bounds."""

    def steps() -> Iterator[Iterate]:
        for value, lower in pairs:
            yield Iterate(U, value, U, lower)
        return "there are no more"

    return ConvergenceMonitor(tol, most).follow(steps())


@pytest.mark.parametrize(("pairs", "number"), [
    ([(10.0, -math.inf), (2.0, 1.0), (1.2, 1.1), (1.11, 1.1)], 2),
    ([(1.0, -math.inf), (-9.0, -12.0), (-9.5, -10.4), (-10.0, -10.1)], 2),
    ([(1.0, -math.inf), (1e-3, -1e-3), (0.0, -1e-14)], 2),
])
def test_a_promise_is_relative_to_the_minimum_of_either_sign(pairs: Any, number: int) -> None:
    solution = followed(pairs, 0.1)
    assert solution.reason.name == "converged"
    assert solution.reason.step == number


def test_a_promise_is_not_kept_too_early() -> None:
    assert followed([(1.0, -math.inf), (-9.0, -10.4)], 0.1).reason.name == "stalled"  # the minimum may be −9
    assert followed([(1.0, -math.inf), (0.5, -0.5)], 0.9).reason.name == "stalled"  # or 0


def test_words_name_the_promise_that_was_kept() -> None:
    words = followed([(1.0, -math.inf), (-10.0, -10.1)], 0.1).reason.evidence
    assert "at most 0.1 of the minimum" in words
    assert "between -10.1 and -10" in words
    words = followed([(1.0, -math.inf), (0.0, 0.0)], 0.1).reason.evidence
    assert "of the loss at the start" not in words  # a gap of 0 is any share of the minimum
    words = followed([(1.0, -math.inf), (1e-14, 0.0)], 0.1).reason.evidence
    assert "at most 1e-13 of the loss at the start" in words


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_value_that_is_no_number_has_not_converged(value: float) -> None:
    assert followed([(value, -math.inf), (1.0, 0.0)], 0.1).reason.name == "diverged"


def test_a_solver_without_a_point_is_told_of() -> None:
    with pytest.raises(RuntimeError, match="before its first point, which is to be its start: there are no more"):
        followed([], 0.1)


@pytest.mark.parametrize("nu", [0.1, 0.5, 0.9])
def test_a_machine_of_one_class_converges_though_its_minimum_is_negative(nu: float) -> None:
    X = np.random.default_rng(0).normal(size=(200, 4)) + 3
    model = OneClassSVM(nu=nu, tol=1e-3).fit(X)
    assert min(model.loss_curve_) < 0
    assert model.stop_reason_.name == "converged"
    assert model.n_iter_ < OneClassSVM(nu=nu, tol=1e-10).fit(X).n_iter_  # a promise of less is sooner kept


def one_class(l2: float = 0.5, l1: float = 0.0) -> ScalarProblem:
    X = np.array([[1.0], [2.0], [4.0]])
    rows = Rows(np.ones(3, np.int8), np.full(3, 1 / 3))
    return ScalarProblem(Matrix(X), rows, Loss(HINGE), Penalty(np.array([l2]), np.array([l1])), linear_term=0.5)


def sums_of(problem: ScalarProblem, r: Any) -> Sums:
    weighted = r * problem.rows.s
    below, above = weighted * (r <= 0), weighted * (r > 0)
    X = problem.matrix.X
    conjugates = np.array([below.sum(), above.sum()])  # of a hinge with targets of 1: r
    return Sums(0.0, X.T @ weighted, weighted.sum(), np.array([X.T @ below, X.T @ above]),
                np.array([below.sum(), above.sum()]), conjugates, float(problem.rows.s @ r**2))


@pytest.mark.parametrize("rounding", [0.0, 2.3e-16, -2.3e-16])
@pytest.mark.parametrize("linear_term", [0.5, 0.0])
def test_slopes_that_balance_but_for_rounding_bound_the_minimum(linear_term: float, rounding: float) -> None:
    """Σ s r = −tilt: what is wanted of the slopes above 0 is nothing, or less than that by rounding."""
    problem = replace(one_class(), linear_term=linear_term * (1 + rounding))
    r = np.full(3, -linear_term)
    q = float(problem.matrix.X[:, 0] @ (r / 3))
    assert problem.lower_bound(sums_of(problem, r)) == pytest.approx(linear_term - q**2 / (2 * 0.5), rel=1e-12)


def test_slopes_that_cannot_balance_bound_nothing() -> None:
    problem = one_class()
    assert problem.lower_bound(sums_of(problem, np.zeros(3))) == -math.inf


def test_slopes_scaled_down_for_an_l1_penalty_do_not_balance_a_tilt() -> None:
    """A bound that forgets this may lie above the minimum."""
    problem = one_class(l2=0.0, l1=0.1)
    assert problem.lower_bound(sums_of(problem, np.full(3, -0.5))) == -math.inf


def test_a_curvature_of_nothing_is_left_out_of_a_direction() -> None:
    """By rounding a Hessian may have a 0, or less, on its diagonal, and something beside it."""
    hessian = np.array([[2.0, 0.0, 0.0], [1e-9, 0.0, 0.0], [0.0, 1e-9, -1e-12]])
    step = Curvature(hessian, lambda _: None).step(np.array([4.0, 1.0, 1.0]))
    np.testing.assert_allclose(step, [2.0, 0.0, 0.0], atol=1e-8)


@pytest.mark.parametrize("loss", [Loss(LOGISTIC), Loss(SQUARED_HINGE)])
def test_columns_without_a_penalty_beside_others(loss: Loss) -> None:
    """No proof is to be had there; the estimate says that it is one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.where(X @ [1.0, -1.0, 0.5] + rng.normal(size=80) > 0, 1, -1).astype(np.int8)
    problem = ScalarProblem(
        Matrix(X), Rows(y, np.array([1 / 80])), loss, Penalty(np.array([0.1, 0.0, 0.1]), np.zeros(3))
    )
    solution = accept_by_decrement(problem, solve(problem, ConvergenceMonitor(1e-8, 100)), 1e-8)
    assert solution.reason.name == "converged"
    if solution.gap > 1e-8 * solution.value:
        assert "an estimate, as no dual bound comes as near" in solution.reason.evidence


def test_columns_without_a_penalty_beside_an_l1_penalty_have_an_estimate_and_say_so() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.where(X @ [1.0, -1.0, 0.5] + rng.normal(size=80) > 0, 1, -1).astype(np.int8)
    problem = ScalarProblem(
        Matrix(X), Rows(y, np.array([1 / 80])), Loss(LOGISTIC), Penalty(np.zeros(3), np.array([0.01, 0.0, 0.01]))
    )
    solution = accept_by_decrement(problem, solve(problem, ConvergenceMonitor(1e-8, 100)), 1e-8)
    assert solution.reason.name == "converged"
    if solution.gap > 1e-8 * solution.value:
        assert "an estimate, as no dual bound comes as near" in solution.reason.evidence


@pytest.mark.parametrize(("tol", "best"), [(0.0, 1.0), (1e-6, 0.0)])
def test_of_values_that_differ_by_rounding_the_later_point_is_the_best_where_all_is_asked_for(
    tol: float, best: float
) -> None:
    """Near a minimum: coefficients still come nearer where the loss is lost in its rounding."""
    monitor = ConvergenceMonitor(tol=tol, max_iter=10)
    for u, value in ((0.0, 0.7), (1.0, 0.7 + 4 * np.spacing(0.7)), (2.0, 0.7 * (1 + 1e-13))):
        monitor.observe(Iterate(np.array([u]), value, np.zeros(1), -math.inf))
    assert monitor.best.u == [best]
