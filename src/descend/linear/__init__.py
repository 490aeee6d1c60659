"""Linear models that need no tuning and prove that they are done: scikit-learn estimators with certified solvers.

Columns need no scaling: solvers see them centred and in units of their spread, and `coef_` and `intercept_` are given
in the units of `X`. `X` is read where it lies, dense (either order) or sparse, in either precision, and never copied.

What all estimators share:

| parameter | meaning |
| --- | --- |
| `tol` | a promise: how far above the minimum the objective may be, relative to it. Kept by the duality gap |
| `max_iter` | how many iterations a solver may make |
| `solver` | "auto" picks; otherwise a name that `solver_` may show, or an optimizer of `descend.optimizers` |
| `fit_intercept` | whether to seek an intercept; it is never penalised |
| `warm_start` | whether to begin at what was learnt before |

| attribute | meaning |
| --- | --- |
| `stop_reason_` | why it ended, a `descend.stopping.Reason`: "converged" if the promise is kept |
| `duality_gap_` | how far above the minimum the objective is, at most |
| `loss_curve_` | the objective at the start and after each iteration; of several problems, a list of these |
| `n_iter_` | how many iterations were made; of several problems, the most |
| `solver_` | what was picked, and why |

The objective is the one in the estimator's docstring, divided by the sum of the weights (and by `C`, where there is
one): a mean loss, and penalties beside it. `sample_weight` may be 0, which is the same as a row that is not there. If
the promise could not be kept, `fit` warns (`sklearn.exceptions.ConvergenceWarning`) and says why. Callbacks of
`sklearn.callback` are called after each iteration, and end the fit where they return True.

A file, `Blocks`, may stand for `X` and `y` in `score`, for `X` wherever something is predicted, and for both in `fit`,
where the loss has no corners and the penalty is l2 alone.
"""

from descend.linear.classification import LogisticRegression, Perceptron
from descend.linear.files import Blocks
from descend.linear.kernel import SVC, SVR
from descend.linear.regression import ElasticNet, Lasso, LinearRegression, Ridge
from descend.linear.robust import HuberRegressor, PoissonRegressor, QuantileRegressor
from descend.linear.svm import LinearSVC, LinearSVR, OneClassSVM

__all__ = [
    "SVC",
    "SVR",
    "Blocks",
    "ElasticNet",
    "HuberRegressor",
    "Lasso",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "OneClassSVM",
    "Perceptron",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
]
