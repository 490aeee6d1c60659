"""Least squares, with and without penalties; see `descend.linear` for what all estimators share."""

from collections.abc import Sequence

from descend.linear._losses import SQUARED, Loss
from descend.linear.estimators.partial import PartialRegressor
from descend.linear.estimators.regressor import LinearRegressor
from descend.linear.estimators.validation import check_number
from descend.linear.problems.matrix import Array
from descend.optimizers import Optimizer


class _SquaredLoss(LinearRegressor):
    """A regression by squares."""

    def _loss(self) -> Loss:
        return Loss(SQUARED)


class LinearRegression(_SquaredLoss, PartialRegressor):
    """Ordinary least squares: minimises the weighted mean of (y − x·w − b)²/2.

    The solution is found in closed form. Where columns depend on each other there are many minima, and this is the one
    whose coefficients have the least norm; the columns are named in `stop_reason_`. With `positive` it is found by
    coordinate descent, and is one of them. As the loss is a quadratic function, the certificate is exact, but for the
    rounding that it counts.

    Args:
        fit_intercept: whether to seek b; otherwise it is 0.
        positive, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import LinearRegression
    >>> model = LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.coef_.round(6), round(model.intercept_, 6)
    (array([2.]), 1.0)
    >>> model.stop_reason_.name
    'converged'
    >>> LinearRegression(positive=True).fit([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]], [1.0, 3.0, 5.0]).coef_.round(6)
    array([2., 0.])

    Reference: Gauss (1809), *Theoria motus corporum coelestium*; for the least norm, Penrose (1956), "On best
    approximate solutions of linear matrix equations".
    """

    def __init__(self, *, positive: bool = False, fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000,
                 solver: str | Optimizer = "auto", warm_start: bool = False) -> None:
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _penalties(self, total: float) -> tuple[float, float]:
        return 0.0, 0.0


class Ridge(_SquaredLoss, PartialRegressor):
    """Least squares with an l2 penalty: minimises Σ s (y − x·w − b)² + alpha‖w‖², with weights s.

    With few columns it is solved by one step of Newton's method, which is exact.

    Args:
        alpha: the penalty, at least 0.
        penalty_weights, positive, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import Ridge
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> Ridge(alpha=2.0).fit(X, y).coef_.round(6), Ridge(alpha=2.0, penalty_weights=[0.0]).fit(X, y).coef_.round(6)
    (array([1.]), array([2.]))

    Reference: Hoerl and Kennard (1970), "Ridge regression: biased estimation for nonorthogonal problems".
    """

    def __init__(self, alpha: float = 1.0, *, penalty_weights: Sequence[float] | Array | None = None,
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("alpha", self.alpha)

    def _penalties(self, total: float) -> tuple[float, float]:
        return self.alpha / total, 0.0


class ElasticNet(_SquaredLoss, PartialRegressor):
    """Least squares with both penalties: minimises the weighted mean of (y − x·w − b)²/2, plus
    alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ‖w‖²/2).

    Args:
        alpha: the penalties' weight, at least 0.
        l1_ratio: the l1 penalty's share of it, from 0 to 1.
        penalty_weights, positive, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import ElasticNet
    >>> X, y = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]], [1.0, 3.0, 5.0, 7.0]
    >>> ElasticNet(alpha=0.5, tol=1e-8).fit(X, y).coef_.round(4)
    array([1.5, 0. ])

    Reference: Zou and Hastie (2005), "Regularization and variable selection via the elastic net".
    """

    def __init__(self, alpha: float = 1.0, *, l1_ratio: float = 0.5,
                 penalty_weights: Sequence[float] | Array | None = None, positive: bool = False,
                 fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000, solver: str | Optimizer = "auto",
                 warm_start: bool = False) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("alpha", self.alpha)
        check_number("l1_ratio", self.l1_ratio, high=1.0)

    def _penalties(self, total: float) -> tuple[float, float]:
        return self.alpha * (1 - self.l1_ratio), self.alpha * self.l1_ratio


class Lasso(_SquaredLoss, PartialRegressor):
    """Least squares with an l1 penalty, which makes coefficients 0: minimises the weighted mean of (y − x·w − b)²/2,
    plus alpha ‖w‖₁.

    Args:
        alpha: the penalty, at least 0.
        penalty_weights, positive, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import Lasso
    >>> X, y = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]], [1.0, 3.0, 5.0, 7.0]
    >>> Lasso(alpha=0.5, tol=1e-8).fit(X, y).coef_.round(4)
    array([1.6, 0. ])

    Reference: Tibshirani (1996), "Regression shrinkage and selection via the lasso".
    """

    def __init__(self, alpha: float = 1.0, *, penalty_weights: Sequence[float] | Array | None = None,
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("alpha", self.alpha)

    def _penalties(self, total: float) -> tuple[float, float]:
        return 0.0, self.alpha
