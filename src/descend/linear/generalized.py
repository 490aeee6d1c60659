"""Regressions of what is never negative, by the logarithm of what is expected; see `descend.linear`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import d2_tweedie_score

from descend._blocks.shards import computed
from descend._sample_weight import checked_weights
from descend.errors import InputError
from descend.linear._losses import GAMMA, POISSON, TWEEDIE, Loss
from descend.linear.estimators.base import fitting
from descend.linear.estimators.lazily import by_partition
from descend.linear.estimators.partial import PartialRegressor
from descend.linear.estimators.validation import (
    Data,
    check_choice,
    check_number,
    checked_data,
    is_partitioned,
    refuse_offset,
    scoring_targets,
)
from descend.linear.problems.matrix import Array
from descend.linear.problems.scalar import ScalarProblem
from descend.optimizers import Optimizer


class LogRegressor(PartialRegressor):
    """A regression in which exp(x·w + b) is expected, by a deviance that is a power's, and an l2 penalty."""

    what = "a target"
    _takes_offset = True
    _is_logarithm = True

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("alpha", self.alpha)

    def _power(self) -> float:
        """The power of what is expected that its variance is proportional to."""
        raise NotImplementedError

    def _penalties(self, total: float) -> tuple[float, float]:
        return self.alpha, 0.0

    def _check_targets(self, y: Array) -> None:
        least, positive = float(y.min()), self._power() >= 2
        if least < 0 or (positive and least == 0):
            must = "must be above 0" if positive else "must not be negative"
            raise InputError(f"y is {least:g} at row {int(y.argmin())}: {self.what} {must}")

    def _problem(self, data: Data) -> ScalarProblem:
        self._check_targets(data.y)
        if not data.y.any():
            raise InputError("y is 0 in all rows: the best that can be expected is 0, which has no logarithm")
        return super()._problem(data)

    @fitting
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None, *,
            on: Any = None) -> "LogRegressor":
        """Fit to rows `X` with targets `y`; rows may have weights, and an `offset` that is added to x·w + b: of
        rows that were exposed for different times, the logarithm of the time. Or to a file: `fit(Blocks(…))`.
        """
        if is_partitioned(X, on):
            refuse_offset(offset)
            self._fit_partitioned(X, y, sample_weight, on)
            return self
        self._check_parameters()
        data = checked_data(self, X, y, sample_weight, numeric=True, offset=offset)
        self._minimised([self._problem(data)], data)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> "LogRegressor":
        """Learn from more rows, each of which is seen once; see `Ridge.partial_fit`. `offset` as in `fit`."""
        self._learn_rows(X, y, sample_weight, offset)
        return self

    @by_partition
    def predict(self, X: Any, offset: Any = None) -> Array:
        """What is expected of each row; `offset` as in `fit`."""
        return np.exp(self._scores(X, offset))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> float:
        """D², the share of the deviance that is explained; 1 at best, 0 for a constant."""
        y = scoring_targets(X, y)
        weight = checked_weights(sample_weight, y)
        return float(d2_tweedie_score(y, computed(self.predict(X, offset)), sample_weight=weight, power=self._power()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


class PoissonRegressor(LogRegressor):
    """A regression of counts or rates, expected to be exp(x·w + b): minimises half the weighted mean deviance,
    exp(z) − y z + y log y − y with z = x·w + b, plus alpha ‖w‖²/2.

    Args:
        alpha: the penalty, at least 0. Without one there is no minimum where a direction leads rows of count 0 to ever
            lower rates and leaves the others where they are, and `stop_reason_` is "unbounded".
        penalty_weights, positive, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import PoissonRegressor
    >>> model = PoissonRegressor(alpha=0.0).fit([[0.0], [1.0], [0.0], [1.0]], [1, 3, 3, 5])
    >>> model.predict([[0.0], [1.0]]).round(3)
    array([2., 4.])

    Reference: McCullagh and Nelder (1989), *Generalized linear models*.
    """

    what = "a count or a rate"

    def __init__(self, *, alpha: float = 1.0, penalty_weights: Sequence[float] | Array | None = None,
                 positive: bool = False, fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000,
                 solver: str | Optimizer = "auto", warm_start: bool = False) -> None:
        self.alpha = alpha
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _power(self) -> float:
        return 1.0

    def _loss(self) -> Loss:
        return Loss(POISSON)


class GammaRegressor(LogRegressor):
    """A regression of positive numbers whose spread grows with what is expected, exp(x·w + b), such as costs and times:
    minimises half the weighted mean deviance, y exp(−z) − 1 + z − log y with z = x·w + b, plus alpha ‖w‖²/2.

    Args:
        alpha: the penalty, at least 0. There is a minimum without one, too.
        penalty_weights, positive, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import GammaRegressor
    >>> model = GammaRegressor(alpha=0.0).fit([[0.0], [1.0], [0.0], [1.0]], [1.0, 3.0, 3.0, 5.0])
    >>> model.predict([[0.0], [1.0]]).round(3)
    array([2., 4.])

    Reference: McCullagh and Nelder (1989), *Generalized linear models*, chapter 8.
    """

    what = "a gamma target"

    def __init__(self, *, alpha: float = 1.0, penalty_weights: Sequence[float] | Array | None = None,
                 positive: bool = False, fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000,
                 solver: str | Optimizer = "auto", warm_start: bool = False) -> None:
        self.alpha = alpha
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _power(self) -> float:
        return 2.0

    def _loss(self) -> Loss:
        return Loss(GAMMA)


class TweedieRegressor(LogRegressor):
    """A regression of numbers that are never negative and may be 0, such as the costs of policies, of which most have
    none: their variance grows with a power of what is expected, exp(x·w + b). Minimises half the weighted mean deviance

        exp(qz)/q + y exp(−(1 − q) z)/(1 − q) − y^q/(q (1 − q)),  q = 2 − power,  z = x·w + b

    plus alpha ‖w‖²/2. At power 1 it is the Poisson deviance, at 2 that of the gamma distribution.

    Args:
        power: from 1 to 2, between which this loss is convex. (scikit-learn's `TweedieRegressor` takes others, too.)
        alpha: the penalty, at least 0. Below a power of 2 there is no minimum without one where a direction leads rows
            whose target is 0 to ever lower ones and leaves the others where they are: `stop_reason_` is "unbounded".
        link: "log", what is linear of what is expected.
        penalty_weights, positive, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import TweedieRegressor
    >>> model = TweedieRegressor(power=1.5, alpha=0.0).fit([[0.0], [1.0], [0.0], [1.0]], [0.0, 3.0, 4.0, 5.0])
    >>> model.predict([[0.0], [1.0]]).round(3)
    array([2., 4.])

    Reference: Jørgensen (1987), "Exponential dispersion models".
    """

    what = "a Tweedie target"

    def __init__(self, *, power: float = 1.5, alpha: float = 1.0, link: str = "log",
                 penalty_weights: Sequence[float] | Array | None = None, positive: bool = False,
                 fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000, solver: str | Optimizer = "auto",
                 warm_start: bool = False) -> None:
        self.power = power
        self.alpha = alpha
        self.link = link
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("power", self.power, low=1.0, high=2.0)
        check_choice("link", self.link, ("log",))

    def _power(self) -> float:
        return float(self.power)

    def _loss(self) -> Loss:
        limits = {1.0: Loss(POISSON), 2.0: Loss(GAMMA)}
        return limits.get(self._power(), Loss(TWEEDIE, self._power()))
