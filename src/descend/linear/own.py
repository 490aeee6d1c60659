"""A regression by a loss of one's own; see `descend.linear`."""

from collections.abc import Sequence

from descend.errors import InputError
from descend.linear._losses import SQUARED
from descend.linear._losses.loss import Kind, Loss
from descend.linear.estimators.regressor import LinearRegressor
from descend.linear.estimators.validation import check_number
from descend.linear.problems.matrix import Array
from descend.optimizers import Optimizer


class LossRegressor(LinearRegressor):
    """A regression by a loss of one's own, certified as all others are: minimises the weighted mean of ℓ(x·w + b, y),
    plus alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ‖w‖²/2).

    The loss is a module of a few functions that Numba compiles, of the numbers of one row, and a `Kind` that names it:
    `docs/your-own-loss.md` has one. That ℓ is convex in its score, and that its conjugate is its conjugate, is taken on
    trust: the bound is no truer than they are.

    Args:
        loss: a `Kind`; None for squares, (z − y)²/2.
        p: the loss's parameter, if it has one.
        alpha: the penalties' weight, at least 0.
        l1_ratio: the l1 penalty's share of it, from 0 to 1.
        penalty_weights, positive, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import LossRegressor
    >>> LossRegressor(alpha=0.0).fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).coef_.round(6)
    array([2.])

    Reference: Boyd and Vandenberghe (2004), *Convex optimization*, section 5.1, for bounds by conjugates.
    """

    def __init__(self, loss: Kind | None = None, *, p: float = 0.0, alpha: float = 1.0, l1_ratio: float = 0.0,
                 penalty_weights: Sequence[float] | Array | None = None, positive: bool = False,
                 fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000, solver: str | Optimizer = "auto",
                 warm_start: bool = False) -> None:
        self.loss = loss
        self.p = p
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
        kind = self._loss().kind
        if not isinstance(kind, Kind):
            raise InputError(f"loss is {self.loss!r}: it must be a Kind, which a loss's module has as KIND")
        if kind.classes or kind.concomitant_scale or kind.corners:
            raise InputError(f"loss is {kind.name}: this regression takes losses of numbers, without corners or a "
                             "scale of their own; choose the estimator of that loss")
        check_number("p", self.p)
        check_number("alpha", self.alpha)
        check_number("l1_ratio", self.l1_ratio, high=1.0)

    def _loss(self) -> Loss:
        return Loss(SQUARED if self.loss is None else self.loss, self.p)

    def _penalties(self, total: float) -> tuple[float, float]:
        return self.alpha * (1 - self.l1_ratio), self.alpha * self.l1_ratio
