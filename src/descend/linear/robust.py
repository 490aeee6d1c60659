"""Regressions for targets with outliers, and for quantiles; see `descend.linear`."""

from dataclasses import replace
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.linear._losses import HUBER, PINBALL, Loss
from descend.linear.estimators.base import fitting
from descend.linear.estimators.partial import PartialRegressor
from descend.linear.estimators.validation import (
    check_choice,
    check_number,
    checked_data,
    numeric_targets,
    refuse_on,
)
from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.huber_scale import SCALE_FLOOR, ScaledProblem, has_scale
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Problem
from descend.linear.problems.scores import scores_of
from descend.linear.solvers.convergence import ConvergenceMonitor, Solution
from descend.linear.solvers.huber_scale import bounded_newton, least_absolute_deviations
from descend.linear.solvers.solve import SOLVERS
from descend.optimizers import Optimizer
from descend.stopping import Reason

# Solvers that only ask for values, gradients and Hessians.
SCALE_SOLVERS = ("accelerated", "lbfgs", "newton")


class HuberRegressor(PartialRegressor):
    """A regression on which outliers pull with a bounded force: minimises over w, b and the scale σ

        Σ s (σ + σ H((y − x·w − b)/σ)) + alpha ‖w‖²,  H(u) = u² if abs(u) ≤ epsilon, else 2 epsilon abs(u) − epsilon²

    σ is found with the coefficients, so that `epsilon` does not depend on the targets' unit.

    Args:
        epsilon: the errors, in scales, beyond which a row is an outlier; at least 1.
        alpha: the penalty, at least 0.
        fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        scale_: σ, in the unit of `y`.
        outliers_ (rows,): whether a row's error is beyond `epsilon` scales (of rows without weight, too).
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> import numpy as np
    >>> from descend.linear import HuberRegressor
    >>> X = np.arange(10.0)[:, None]
    >>> y = X[:, 0] + [0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, 41.0]
    >>> model = HuberRegressor(epsilon=1.5).fit(X, y)
    >>> model.coef_.round(2), np.flatnonzero(model.outliers_)
    (array([1.01]), array([9]))

    Reference: Owen (2007), "A robust hybrid of lasso and ridge regression"; Huber (1981), *Robust statistics*.
    """

    def __init__(self, *, epsilon: float = 1.35, alpha: float = 0.0001, fit_intercept: bool = True, tol: float = 1e-4,
                 max_iter: int = 1000, solver: str | Optimizer = "auto", warm_start: bool = False) -> None:
        self.epsilon = epsilon
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("solver", self.solver, ("auto", *(name for name in SCALE_SOLVERS if name in SOLVERS)))
        check_number("epsilon", self.epsilon, low=1.0)
        check_number("alpha", self.alpha)

    def _loss(self) -> Loss:
        return Loss(HUBER, float(self.epsilon), 1.0)

    def _penalties(self, total: float) -> tuple[float, float]:
        return 2 * self.alpha / total, 0.0

    def _solved(self, problem: Problem, monitor: ConvergenceMonitor, start: Array | None) -> Solution:
        if not has_scale(problem) or self.solver not in ("auto", "newton") or problem.size > DENSE_HESSIAN:
            return super()._solved(problem, monitor, start)
        u = start
        if u is None:
            u = np.zeros(problem.size)
            u[-1] = np.median(problem.rows.y) * problem.intercept
        if self.epsilon == 1 and self.solver == "auto":
            how = "interior: at epsilon=1 errors themselves are minimised, a loss with corners"
            return replace(monitor.follow(least_absolute_deviations(problem, u)), how=how)
        why = f"{problem.size:,} coefficients, so that a Hessian is soon factored, and the scale of errors"
        solution = replace(monitor.follow(bounded_newton(problem, u)), how=f"newton: {why}")
        if solution.reason.name == "stalled" and solution.value <= 4 * problem.least:
            reason = Reason("converged", "there are no errors but those of rounding", solution.reason.step)
            return replace(solution, reason=reason)
        return solution

    @fitting
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, on: Any = None) -> "HuberRegressor":
        """Fit to rows `X` with targets `y`; rows may have weights."""
        refuse_on(X, on)
        self._check_parameters()
        data = checked_data(self, X, y, sample_weight, numeric=True)
        base = self._problem(data)
        least = SCALE_FLOOR * max(
            float(np.ptp(base.rows.y)), float(np.abs(base.rows.y).max()), np.finfo(float).tiny / SCALE_FLOOR
        )
        problem = ScaledProblem(base.matrix, base.rows, base.loss, base.penalty, base.intercept,
                                support=base.support, least=least)
        self._minimised([problem], data)
        everything = data if sample_weight is None else checked_data(self, X, y, None, numeric=True)
        errors = np.asarray(everything.y) - scores_of(everything.X, self.coef_[None], self.intercept_)[:, 0]
        kept = slice(None) if len(errors) == problem.matrix.shape[0] else np.asarray(sample_weight) > 0
        self.scale_ = problem.scale(problem.rows.y - errors[kept])
        self.outliers_ = np.abs(errors) > self.scale_ * self.epsilon
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, on: Any = None) -> "HuberRegressor":
        """Learn from more rows, each of which is seen once.

        The scale is that of the errors on rows before they are learnt from; `outliers_` is of these rows. It begins
        anew after a `fit`.
        """
        super().partial_fit(X, y, sample_weight)
        self.scale_ = self._streams[0].width
        data = checked_data(self, X, y, None, numeric=True, reset=False)
        self.outliers_ = np.abs(numeric_targets(data.y) - self._scores(X)) > self.scale_ * self.epsilon
        return self


class QuantileRegressor(PartialRegressor):
    """A line below which a given share of the targets lies: minimises the weighted mean of the pinball loss,
    quantile·max(e, 0) + (1 − quantile)·max(−e, 0) with e = y − x·w − b, plus alpha ‖w‖₁.

    Args:
        quantile: the share, between 0 and 1 (not these).
        alpha: the penalty, at least 0.
        fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> import numpy as np
    >>> from descend.linear import QuantileRegressor
    >>> X, y = np.zeros((9, 1)), np.arange(9.0)
    >>> round(QuantileRegressor(quantile=0.25).fit(X, y).intercept_, 2)
    2.0

    Reference: Koenker and Bassett (1978), "Regression quantiles".
    """

    def __init__(self, *, quantile: float = 0.5, alpha: float = 1.0, fit_intercept: bool = True, tol: float = 1e-4,
                 max_iter: int = 1000, solver: str | Optimizer = "auto", warm_start: bool = False) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("quantile", self.quantile, above=True, high=1.0)
        if self.quantile == 1:
            raise InputError("quantile is 1: it must be a number above 0 and below 1")
        check_number("alpha", self.alpha)

    def _loss(self) -> Loss:
        return Loss(PINBALL, float(self.quantile))

    def _penalties(self, total: float) -> tuple[float, float]:
        return 0.0, self.alpha
